import { inject, afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from 'pg';
import { isAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import { cedarLong, cedarPrefix, cedarString, iamAction, iamResource, sqlColumn, sqlIdent, sqlLiteral, sqlTable } from '../../../lib/scope/encode';
import { HOSTILE } from '../../cases/hostile';

const encodable = HOSTILE.filter((text) => !text.includes('\u0000') && text !== '\ud800');

describe('names that reach SQL', () => {
  it.each(HOSTILE)('refuses %j as a table name, naming the field', (name) => {
    expect(() => sqlTable(name, 'scopes[0].read[0].table')).toThrow(/^NotEncodable: scopes\[0\]\.read\[0\]\.table must be /);
  });

  it.each(HOSTILE)('refuses %j as a column name, naming the field', (name) => {
    expect(() => sqlColumn(name, 'columns[0]')).toThrow(/^NotEncodable: columns\[0\] must be /);
  });

  it('quotes a plain table in its schema', () => {
    expect(sqlTable('leads', 'f')).toBe('"public"."leads"');
    expect(sqlTable('crm.leads', 'f')).toBe('"crm"."leads"');
  });

  it('doubles quotes inside an identifier and refuses what Postgres would cut', () => {
    expect(sqlIdent('a"b', 'f')).toBe('"a""b"');
    expect(() => sqlIdent('é'.repeat(32), 'f')).toThrow('at most 63 bytes');
  });
});

describe('values that reach SQL', () => {
  let client: Client;
  beforeAll(async () => {
    const { host, port, superuser, password } = inject('postgres');
    client = new Client({ host, port, user: superuser, password, database: 'postgres' });
    await client.connect();
  });
  afterAll(() => client.end());

  it.each(encodable)('carries %j through Postgres unchanged', async (text) => {
    for (const setting of ['on', 'off']) {
      await client.query(`set standard_conforming_strings = ${setting}`);
      const { rows } = await client.query<{ value: string }>(`select ${sqlLiteral(text, 'f')} as value`);
      expect(rows[0]?.value).toBe(text);
    }
  });

  it.each(['a\u0000b', '\ud800', '\udc00x'])('refuses %j, which has no UTF-8 form', (text) => {
    expect(() => sqlLiteral(text, 'rows.name')).toThrow(/^NotEncodable: rows\.name/);
  });

  it('writes booleans and integers, and refuses a number that is no integer', () => {
    expect([sqlLiteral(true, 'f'), sqlLiteral(false, 'f'), sqlLiteral(-5, 'f')]).toEqual(['true', 'false', '-5']);
    for (const number of [1.5, NaN, Infinity, 2 ** 53]) expect(() => sqlLiteral(number, 'f')).toThrow('an integer within 2^53');
  });
});

describe('values that reach Cedar', () => {
  const permits = (condition: string, value: string): boolean => {
    const answer = isAuthorized({
      principal: { type: 'A', id: 'a' }, action: { type: 'Action', id: 'x' }, resource: { type: 'R', id: 'r' }, context: { value }, entities: [],
      policies: { staticPolicies: { p: `permit(principal, action, resource) when { ${condition} };` } },
    });
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer.errors));
    return answer.response.decision === 'allow';
  };

  it.each([...encodable, '"; permit(principal, action, resource); //', 'a\tb', '\u007f', '\u0085', '*', 'a*b'])('carries %j through Cedar unchanged', (text) => {
    expect(permits(`context.value == ${cedarString(text, 'f')}`, text)).toBe(true);
    expect(permits(`context.value == ${cedarString(text, 'f')}`, `${text}x`)).toBe(false);
  });

  it.each(['a', 'a*', 'a"', 'a\\'])('matches what starts with %j, and takes a star for a star', (prefix) => {
    expect(permits(`context.value like ${cedarPrefix(prefix, 'f')}`, `${prefix}tail`)).toBe(true);
    expect(permits(`context.value like ${cedarPrefix('a*', 'f')}`, 'abc')).toBe(false);
  });

  it('refuses text without a UTF-8 form and numbers that are no integers', () => {
    expect(() => cedarString('\ud800', 'f')).toThrow('NotEncodable');
    expect(() => cedarLong(0.5, 'f')).toThrow('NotEncodable');
    expect(cedarLong(-3, 'f')).toBe('-3');
  });
});

describe('names that reach IAM', () => {
  it.each(['*', 's3:*', 's3:Get*', 's3', 'S3:GetObject', 's3:GetObject,s3:PutObject', ''])('refuses %j as an action', (action) => {
    expect(() => iamAction(action, 'aws[0].actions[0]')).toThrow(/^NotEncodable: aws\[0\]\.actions\[0\]/);
  });

  it.each(['*', 'arn:aws:s3:::${aws:username}/*', 'arn:aws:s3', 'arn:aws:s3:::a b', 'arn:aws:s3:::*', 'arn:aws::::x', 'arn:aws:s3:::cdk-hnb659fds-assets-111122223333-eu-central-1/x', ''])('refuses %j as a resource', (resource) => {
    expect(() => iamResource(resource, 'f')).toThrow('NotEncodable');
  });

  it('takes an action and an ARN', () => {
    expect([iamAction('s3:GetObject', 'f'), iamResource('arn:aws:s3:::bucket/folder/*', 'f')]).toEqual(['s3:GetObject', 'arn:aws:s3:::bucket/folder/*']);
  });
});

describe('what is no text at all', () => {
  it.each([5, null, undefined, {}, ['x']])('is refused: %j', (value) => {
    const as = value as never;
    for (const encode of [() => sqlIdent(as, 'f'), () => sqlTable(as, 'f'), () => sqlColumn(as, 'f'), () => cedarString(as, 'f'), () => iamAction(as, 'f'), () => iamResource(as, 'f')]) expect(encode).toThrow('NotEncodable');
  });
});
