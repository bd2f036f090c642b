import Ajv2020, { ErrorObject, ValidateFunction } from 'ajv/dist/2020';
import { CardApproval } from './approval';
import { ControlsError } from './controls-error';

const SHA256 = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const object = (properties: Record<string, unknown>): object => ({ type: 'object', additionalProperties: false, required: Object.keys(properties), properties });

let compiled: ValidateFunction<CardApproval> | undefined;

/** Compiled with the first approval: most apps have none. */
const schema = (): ValidateFunction<CardApproval> => compiled ??= new Ajv2020().compile<CardApproval>(object({
  agent: { type: 'string' },
  card_digest: SHA256,
  actions: { type: 'object', additionalProperties: SHA256 },
  tiers: { type: 'object', additionalProperties: { type: 'object' } },
  approvals: { type: 'array', items: object({ by: { type: 'string' }, at: { type: 'string' }, key: { type: 'string' }, signature: { type: 'string' } }) },
}));

/** Where the approval of a card lies: beside it. */
export function approvalPath(cardPath: string): string {
  return cardPath.replace(/\.ya?ml$/, '') + '.approval.json';
}

/** Reads an approval file. @throws `ApprovalInvalid` */
export function approvalFromJson(text: string, fileName: string): CardApproval {
  const invalid = (why: string): never => { throw new ControlsError('ApprovalInvalid', `${fileName}: ${why}; write it with agent-controls scope approve`); };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid('not readable as JSON');
  }
  const validate = schema();
  return validate(value) ? value : invalid((validate.errors as ErrorObject[]).map(({ instancePath, message }) => `${instancePath || 'the approval'} ${String(message)}`).join(', '));
}
