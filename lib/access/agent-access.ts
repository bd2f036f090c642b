import { judge } from '../gate/judge';
import { CROWN_JEWELS } from '../scope/compile-aws';
import { CompiledScope, TableGrant, Tool } from '../scope/compile';
import { ControlsError } from '../scope/controls-error';
import { Access, Asked } from './access';
import { Finding, roleOpening, withRefusals } from './bypass';
import { meets } from './pattern';
import { Permission } from './permissions';
import { Role } from './roles';
import { opening, Opening, Statement } from './statements';

/** What is known of one agent. */
export interface Known {
  readonly agentName: string;
  readonly compiled: CompiledScope;
  readonly permissions: readonly Permission[];
  /** Names of every action that the app declares. */
  readonly declared: readonly string[];
  readonly role: Role | undefined;
  /** Statements of the resource policies of the app. */
  readonly resourcePolicies: readonly Statement[];
  /** Ways around the gate that this agent or its program has. */
  readonly findings: readonly Finding[];
}

/** An answer, who gave it, and why. */
interface Answer {
  readonly opening: Opening;
  readonly by: string;
}

/** What one agent may do. */
export class AgentAccess {
  /** @internal */
  public static _of(known: Known): AgentAccess { return new AgentAccess(known); }

  /** Name on the card. */
  public readonly agentName: string;

  private constructor(private readonly known: Known) { this.agentName = known.agentName; }

  /**
   * Whether the agent may, by every enforcer that has a say.
   *
   * @throws `AccessUndecided` when it depends on what only the deploy knows.
   */
  public may(access: Access): boolean {
    const answer = this.answer(access._of);
    if (answer.opening === 'unproven') throw new ControlsError('AccessUndecided', `whether ${this.agentName} may ${words(access._of)} depends on what only the deploy knows (${answer.by}); name the resource in the app`);
    return answer.opening === 'open';
  }

  /** Throws unless the agent surely may; names the enforcer that refuses. */
  public assertCan(access: Access): void {
    const { opening: opened, by } = this.answer(access._of);
    if (opened !== 'open') throw new ControlsError('AccessRefused', `${this.agentName} cannot ${words(access._of)}: ${opened === 'unproven' ? 'that cannot be told, ' : ''}${by}`);
  }

  /** Throws unless the agent surely may not; names what opens it, and any way around the gate through roles, functions and resource policies. */
  public assertCannot(access: Access): void {
    const { opening: opened, by } = this.answer(access._of);
    if (opened !== 'closed') throw new ControlsError('AccessOpen', `${this.agentName} can ${words(access._of)}: ${opened === 'unproven' ? 'it cannot be ruled out, ' : ''}${by}`);
    const [around] = this.known.findings.filter(({ kind }) => kind === 'refused');
    if (around) throw new ControlsError('AccessOpen', `${this.agentName} could ${words(access._of)} another way: ${around.sentence}`);
  }

  private answer(of: Asked): Answer {
    switch (of.verb) {
      case 'read': return this.column(of.column, 'select');
      case 'write': return this.column(of.column, 'update');
      case 'aws': return this.aws(of.action, of.resourceArn);
      default:
        this.demandDeclared(of.actionName);
        return of.parameters === undefined ? this.anyCall(of.actionName, of.verb) : this.thisCall(of.actionName, of.parameters, of.verb);
    }
  }

  private column(name: string, right: 'select' | 'update'): Answer {
    const cut = name.lastIndexOf('.');
    if (cut < 1) throw new ControlsError('ColumnUnnamed', `a column is table.column or table.*, got ${JSON.stringify(name)}; name the table, too`);
    const [table, column] = [quoted(name.slice(0, cut)), name.slice(cut + 1)];
    const granted = (grant: TableGrant): boolean => grant.table === table && (column === '*' ? grant[right].length > 0 : grant[right].includes(`"${column}"`));
    const open = this.known.compiled.grants.some(granted);
    return { opening: open ? 'open' : 'closed', by: open ? `Postgres grants ${right} on ${name} to its role` : `Postgres grants its role no ${right} on ${name}` };
  }

  /** An assertion about something that is not there would hold for ever. */
  private demandDeclared(action: string): void {
    if (!this.known.declared.includes(action) && !Object.hasOwn(this.known.compiled.tools, action)) throw new ControlsError('ActionUnknown', `got ${JSON.stringify(action)}; the app declares ${this.known.declared.join(', ') || 'none'}; correct the name`);
  }

  private anyCall(action: string, verb: 'call' | 'callUnattended'): Answer {
    const rules = Object.entries(this.known.compiled.rules).filter(([, rule]) => rule.action === action);
    const fitting = rules.find(([, { kind }]) => verb === 'call' || kind === 'auto' || kind === 'standing');
    if (fitting) return { opening: 'open', by: `${fitting[0]} permits it, tier ${fitting[1].tier}` };
    return { opening: 'closed', by: rules.length === 0 ? `no scope of its card calls ${action}` : `every scope asks people: ${rules.map(([id, { tier }]) => `${id}, tier ${tier}`).join('; ')}` };
  }

  private thisCall(action: string, parameters: Readonly<Record<string, unknown>>, verb: 'call' | 'callUnattended'): Answer {
    const { compiled } = this.known;
    const gate = judge();
    const { verdict, reasons, ruleId } = gate.decide(new gate.PolicySet(`access-${compiled.agent}-${compiled.cardDigest}`, compiled), { action, parameters, justification: 'given', reference: 'given' }, {
      stopped: null, manifestDigest: compiled.tools[action]?.manifestDigest ?? null, rowsHold: Object.keys(compiled.rules), trustedRequest: requestFor(compiled.tools[action], parameters), today: '', hasRead: false,
    });
    if (verdict === 'deny' && reasons.some((reason) => reason.startsWith('ParameterMissing'))) return { opening: 'unproven', by: `the call is not whole: ${reasons.join('; ')}` };
    const open = verdict === 'permit' || (verb === 'call' && verdict === 'hold');
    return { opening: open ? 'open' : 'closed', by: open ? `${ruleId ?? 'the gate'} permits it` : `the gate answers ${verdict}: ${reasons.join('; ')}` };
  }

  private aws(action: string, resource: string): Answer {
    if (!/^[a-z0-9-]+:[A-Za-z0-9]+$/.test(action)) throw new ControlsError('ActionUnknown', `got ${JSON.stringify(action)}, which is no AWS action such as s3:GetObject; correct it`);
    const { role } = this.known;
    if (!role) return { opening: 'unproven', by: 'its role is not in the app' };
    const layers = { role: roleOpening({ statements: role.statements, boundary: undefined }, action, resource), boundary: opening(withRefusals(role).boundary ?? [], action, resource), session: opening(SESSION, action, resource) };
    // A resource that names the agent needs no permission of its role; only what is refused stays refused.
    const named = this.known.resourcePolicies.filter(({ principals }) => principals.some((name) => name === '*' || name === 'AWS:*' || meets(name.replace(/^AWS:/, ''), role.arn) === 'surely'));
    if (opening(named, action, resource) === 'open' && !refuses(role, action, resource)) return { opening: 'open', by: named.map(({ from }) => from).join(', ') };
    const closing = Object.entries(layers).find(([, opened]) => opened === 'closed');
    if (closing) return { opening: 'closed', by: `the ${closing[0]} does not allow it` };
    return { opening: Object.values(layers).includes('unproven') ? 'unproven' : 'open', by: role.statements.filter((statement) => statement.effect === 'Allow' && opening([statement], action, resource) !== 'closed').map(({ from }) => from).join(', ') };
  }
}

/** A trusted request that asks for a call and names all of it: what could be done unattended at most. */
function requestFor(tool: Tool | undefined, parameters: Readonly<Record<string, unknown>>): string {
  const amount = (value: object): string => ('minorUnits' in value ? `${(Number(value.minorUnits) / 100).toFixed(2)} ${String(value.minorUnits)}` : '');
  const values = Object.values(parameters).map((value) => (typeof value === 'object' && value !== null ? amount(value) : String(value)));
  return [...(tool?.asks ?? []), ...Object.values(tool?.parameters ?? {}).flatMap(({ words = [] }) => words), ...values].join(' ');
}

/** Whether an explicit refusal of the agent's own policies stands against it. */
function refuses(role: Role, action: string, resource: string): boolean {
  const everything = SESSION.slice(0, 1);
  return [role.statements, withRefusals(role).boundary ?? [], SESSION].some((statements) => opening([...everything, ...statements.filter(({ effect }) => effect === 'Deny')], action, resource) === 'closed');
}

/** The session policy that the broker sets, as far as it refuses. */
const SESSION: readonly Statement[] = [
  { effect: 'Allow', actions: ['*'], notActions: [], resources: ['*'], notResources: [], principals: [], condition: undefined, from: 'session' },
  { effect: 'Deny', actions: CROWN_JEWELS, notActions: [], resources: ['*'], notResources: [], principals: [], condition: undefined, from: 'session' },
];

const quoted = (table: string): string => (table.includes('.') ? table : `public.${table}`).split('.').map((part) => `"${part}"`).join('.');

function words(of: Asked): string {
  switch (of.verb) {
    case 'read': case 'write': return `${of.verb} ${of.column}`;
    case 'aws': return `${of.action} on ${of.resourceArn}`;
    default: return `call ${of.actionName}${of.parameters === undefined ? '' : ` with ${JSON.stringify(of.parameters)}`}${of.verb === 'callUnattended' ? ' unattended' : ''}`;
  }
}
