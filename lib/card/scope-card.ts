import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Token } from 'aws-cdk-lib';
import { CardApproval } from '../scope/approval';
import { approvalFromJson, approvalPath } from '../scope/approval-file';
import { Card } from '../scope/card';
import { cardFromObject, cardFromYaml } from '../scope/card-file';
import { cardDigest } from '../scope/compile';
import { ControlsError } from '../scope/controls-error';

/**
 * The one-page YAML that says what an agent may read and call, and what happens when it calls.
 *
 * A card is a value, not a construct: it has no id and no place in the tree, so one card can be compiled, printed and
 * tested without an `App`. A card is literal text. Tokens are refused (`CardNeedsLiteral`), because what a reviewer signs
 * must be what is compiled.
 */
export class ScopeCard {
  /**
   * Reads one card from a YAML file, and its approval from the file beside it: `refunder.yaml`, `refunder.approval.json`.
   *
   * @param path relative to the working directory of the CDK app, or absolute.
   * @throws `CardInvalid` with file, line, field, what was got, what was expected, and the fix.
   */
  public static fromFile(path: string): ScopeCard {
    const file = resolve(path);
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new ControlsError('CardUnreadable', `${path}: ${(error as NodeJS.ErrnoException).code ?? 'error'} at ${file}; paths are relative to the working directory of the CDK app`);
    }
    const approval = approvalPath(file);
    return new ScopeCard(cardFromYaml(text, relative(process.cwd(), file) || path), existsSync(approval) ? approvalFromJson(readFileSync(approval, 'utf8'), relative(process.cwd(), approval)) : undefined);
  }

  /**
   * Reads every `*.yaml` and `*.yml` file of a folder, sorted by agent name; sub-folders are not read.
   *
   * @throws `CardDuplicateAgent` when two files name the same agent.
   */
  public static fromDirectory(path: string): ScopeCard[] {
    const cards = new Map<string, { file: string; card: ScopeCard }>();
    for (const file of readdirSync(resolve(path)).filter((name) => /\.ya?ml$/.test(name)).sort()) {
      const card = ScopeCard.fromFile(join(path, file));
      const other = cards.get(card.agentName);
      if (other) throw new ControlsError('CardDuplicateAgent', `${join(path, file)}: agent ${card.agentName} has the card ${join(path, other.file)} already; keep one of the two`);
      cards.set(card.agentName, { file, card });
    }
    return [...cards.values()].map(({ card }) => card).sort((a, b) => (a.agentName < b.agentName ? -1 : 1));
  }

  /**
   * Builds a card from data that is already parsed, in the shape of `scope-card.schema.json`.
   *
   * For apps that generate cards, and for Python, Java and .NET; the YAML file is what a reviewer should read.
   *
   * @param approvalFile written by `agent-controls scope approve`; without one the card starts no run on production data.
   */
  public static fromObject(card: any, approvalFile?: string): ScopeCard {
    const token = tokenIn(card, 'card');
    if (token !== undefined) throw new ControlsError('CardNeedsLiteral', `${token}: a value that is known only at deploy; write it out, because what a reviewer signs must be what is compiled`);
    return new ScopeCard(cardFromObject(card), approvalFile === undefined ? undefined : approvalFromJson(readFileSync(resolve(approvalFile), 'utf8'), approvalFile));
  }

  /** Name of the agent, 1 to 24 characters of `a-z`, `0-9` and `-`. */
  public readonly agentName: string;

  /** Names of the scopes, each `scope://...`, in the order of the card. */
  public readonly scopeNames: string[];

  /** Names of the actions that any scope of this card calls. */
  public readonly actionNames: string[];

  /** SHA-256 of the canonical card, recorded on every run and in every decision. */
  public readonly digest: string;

  /** @internal */
  public readonly _card: Card;
  /** @internal */
  public readonly _approval: CardApproval | undefined;

  private constructor(card: Card, approval: CardApproval | undefined) {
    this._card = card;
    this._approval = approval;
    this.agentName = card.agent;
    this.scopeNames = card.scopes.map(({ scope }) => scope);
    this.actionNames = [...new Set(card.scopes.flatMap(({ call }) => (call ?? []).map(({ action }) => action)))];
    this.digest = cardDigest(card);
  }
}

function tokenIn(value: unknown, field: string): string | undefined {
  if (Token.isUnresolved(value)) return field;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = tokenIn(inner, `${field}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
