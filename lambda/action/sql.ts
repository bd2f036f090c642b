import { BeginTransactionCommand, CommitTransactionCommand, ExecuteStatementCommand, RollbackTransactionCommand } from '@aws-sdk/client-rds-data';
import { awake, dataApi, Login, parameter, Value } from '../database/connection';

/** Runs one statement. The values between `${}` are bound as parameters; they never become SQL text. */
export interface Sql {
  /** Exactly one row, or `RowMissing`. */
  one<Row extends object>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row>;
  /** Any number of rows. */
  many<Row extends object>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]>;
  /** How many rows changed. */
  run(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<number>;
}

/** One transaction of the agent's login, begun with its first statement, so an action without SQL wakes no database. */
export class Transaction implements Sql {
  private id: Promise<string> | undefined;

  public constructor(private readonly login: Login) {}

  public async one<Row extends object>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row> {
    const rows = await this.many<Row>(text, ...values);
    if (rows.length !== 1) throw new Error(`RowMissing: one row was expected, got ${rows.length}`);
    return rows[0] as Row;
  }

  public async many<Row extends object>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<Row[]> {
    const { formattedRecords } = await this.send(text, values);
    return JSON.parse(exact(formattedRecords ?? '[]')) as Row[];
  }

  public async run(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<number> {
    return (await this.send(text, values)).numberOfRecordsUpdated ?? 0;
  }

  public async commit(): Promise<void> {
    if (this.id) await dataApi().send(new CommitTransactionCommand({ resourceArn: this.login.resourceArn, secretArn: this.login.secretArn, transactionId: await this.id }));
  }

  public async rollback(): Promise<void> {
    if (this.id) await dataApi().send(new RollbackTransactionCommand({ resourceArn: this.login.resourceArn, secretArn: this.login.secretArn, transactionId: await this.id }));
  }

  private async send(text: TemplateStringsArray, values: readonly unknown[]): Promise<{ formattedRecords?: string | undefined; numberOfRecordsUpdated?: number | undefined }> {
    this.id ??= awake(() => dataApi().send(new BeginTransactionCommand(this.login))).then(({ transactionId }) => transactionId as string);
    const sql = text.reduce((all, part, index) => `${all}:v${index - 1}${part}`);
    return dataApi().send(new ExecuteStatementCommand({
      ...this.login, transactionId: await this.id, sql, formatRecordsAs: 'JSON',
      parameters: values.map((value, index) => parameter(`v${index}`, bindable(value))),
    }));
  }
}

function bindable(value: unknown): Value {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (value === undefined) return null;
  return JSON.stringify(value);
}

/** JSON whose numbers all are what they say: one that a double would change is refused, before it is written back. */
function exact(json: string): string {
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)) {
    if (token.startsWith('"') || token.length < 16 || /[eE]/.test(token)) continue;
    const plain = token.includes('.') ? token.replace(/\.?0+$/, '') : token;
    if (String(Number(token)) !== plain) throw new Error(`NumberInexact: a number of ${token.replaceAll(/\D/g, '').length} digits would be changed by reading it; cast the column to text`);
  }
  return json;
}
