/** A state machine in the part of the Amazon States Language that this runner plays. */
export interface Definition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

export type State = TaskState | ChoiceState | WaitState | SucceedState;

export interface TaskState {
  readonly Type: 'Task';
  readonly Resource: string;
  readonly Parameters?: Readonly<Record<string, unknown>>;
  readonly TimeoutSeconds?: number;
  readonly TimeoutSecondsPath?: string;
  readonly ResultPath?: string | null;
  readonly OutputPath?: string;
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly { readonly ErrorEquals: readonly string[]; readonly ResultPath?: string | null; readonly Next: string }[];
  readonly Next?: string;
  readonly End?: boolean;
}

export interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds?: number;
  readonly BackoffRate?: number;
  readonly MaxAttempts?: number;
}

export interface ChoiceState {
  readonly Type: 'Choice';
  readonly Choices: readonly { readonly Variable: string; readonly StringEquals: string; readonly Next: string }[];
  readonly Default?: string;
}

export interface WaitState {
  readonly Type: 'Wait';
  readonly Seconds: number;
  readonly Next: string;
}

export interface SucceedState {
  readonly Type: 'Succeed';
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Task: ['Type', 'Comment', 'Resource', 'Parameters', 'TimeoutSeconds', 'TimeoutSecondsPath', 'ResultPath', 'OutputPath', 'Retry', 'Catch', 'Next', 'End'],
  Choice: ['Type', 'Comment', 'Choices', 'Default'],
  Wait: ['Type', 'Comment', 'Seconds', 'Next'],
  Succeed: ['Type', 'Comment'],
};

/** Parses a definition. What the runner does not play is refused by name: a field that is skipped would be a guess. */
export function parseDefinition(text: string): Definition {
  const definition = JSON.parse(text) as Definition & Record<string, unknown>;
  refuseUnknown('the state machine', definition, ['Comment', 'StartAt', 'States']);
  for (const [name, state] of Object.entries(definition.States)) {
    const fields = FIELDS[state.Type];
    if (!fields) throw new Error(`state ${name}: Type ${String(state.Type)} is not known to the local runner; it plays ${Object.keys(FIELDS).join(', ')}`);
    refuseUnknown(`state ${name}`, state, fields);
    if (state.Type === 'Task' && !/^arn:aws[a-z-]*:states:::lambda:invoke(\.waitForTaskToken)?$/.test(state.Resource)) {
      throw new Error(`state ${name}: Resource ${state.Resource} is not known to the local runner; it plays lambda:invoke and lambda:invoke.waitForTaskToken`);
    }
    if (state.Type === 'Choice') state.Choices.forEach((choice) => refuseUnknown(`state ${name}`, choice, ['Variable', 'StringEquals', 'Next', 'Comment']));
  }
  return definition;
}

function refuseUnknown(where: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) throw new Error(`${where}: ${unknown} is not known to the local runner; it plays ${known.join(', ')}`);
}
