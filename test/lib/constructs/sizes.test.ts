/** What AWS limits, with the longest names there may be. */
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { sessionPolicy } from '../../../lambda/broker/session-policy';
import { AgentControls, ScopeCard } from '../../../lib';
import { agentLogin, agentRoleName } from '../../../lib/scope/names';
import { card, SEND_EMAIL } from '../../support/cards';
import { action } from '../../support/stack';

const CONTROLS = `a${'b'.repeat(15)}`;
const AGENT = `a${'c'.repeat(23)}`;
const stack = new Stack(new App(), 'Test');
const controls = new AgentControls(stack, 'Controls', { controlsName: CONTROLS });
controls.addAction('Send', { code: action({ ...SEND_EMAIL, name: `s${'d'.repeat(31)}` }) });
controls.addAgent('Agent', { card: ScopeCard.fromObject(card((of) => { of.agent = AGENT; of.scopes[0].call = []; })) });
const template = Template.fromStack(stack);
const all = (type: string): Record<string, any>[] => Object.values(template.findResources(type)).map(({ Properties }) => Properties as Record<string, any>);
/** References as long as they can become. */
const deployed = (value: unknown): string => JSON.stringify(value).replaceAll(/\{"(?:Ref|Fn::GetAtt|Fn::Join|Fn::Sub)":(?:"[^"]*"|\[[^\]]*\]\]?)\}/g, `"arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:${'x'.repeat(40)}"`);

describe('with the longest names', () => {
  it('a session policy fits into the 2,048 characters of STS', () => {
    expect(sessionPolicy(`arn:aws-us-gov:execute-api:us-gov-west-1:111122223333:${'x'.repeat(10)}`).length).toBeLessThanOrEqual(2_048);
  });

  it('boundary and policy fit into the 6,144 characters of IAM, however many agents there are', () => {
    for (const { PolicyDocument } of all('AWS::IAM::ManagedPolicy')) expect(deployed(PolicyDocument).length).toBeLessThan(3_000);
  });

  it('the environment of every function fits into 4 KB', () => {
    for (const { FunctionName, Environment } of all('AWS::Lambda::Function')) expect(deployed(Environment ?? {}).length, String(FunctionName)).toBeLessThan(2_048);
  });

  it('roles, functions and logins have names that AWS and Postgres take whole', () => {
    for (const { RoleName } of all('AWS::IAM::Role')) if (typeof RoleName === 'string') expect(RoleName.length, RoleName).toBeLessThanOrEqual(64);
    for (const { FunctionName } of all('AWS::Lambda::Function')) if (typeof FunctionName === 'string') expect(FunctionName.length, FunctionName).toBeLessThanOrEqual(64);
    for (const name of [agentRoleName(CONTROLS, AGENT), agentLogin(CONTROLS, AGENT, 'b')]) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
  });
});
