import { readFileSync } from 'node:fs';
import { IConstruct } from 'constructs';
import { ControlsError } from '../scope/controls-error';
import { Manifest } from '../scope/manifest';
import { AgentAction } from './agent-action';

/** Declarations of actions, without their code: what a card is compiled against. */
export class ActionCatalog {
  /** The `AgentAction`s anywhere below `root`, read when the app is synthesized, so order does not matter. */
  public static fromTree(root: IConstruct): ActionCatalog {
    return new ActionCatalog(() => root.node.findAll().filter((node): node is AgentAction => AgentAction.isAgentAction(node)).map(({ _manifest }) => _manifest));
  }

  /**
   * A JSON file written by `agent-controls actions export`.
   *
   * @param path relative to the working directory of the CDK app, or absolute.
   */
  public static fromFile(path: string): ActionCatalog {
    const { actions } = JSON.parse(readFileSync(path, 'utf8')) as { actions?: Manifest[] };
    if (!Array.isArray(actions)) throw new ControlsError('CatalogInvalid', `${path} must hold { "actions": [...] }; write it with agent-controls actions export`);
    return new ActionCatalog(() => actions);
  }

  /** @internal */
  public readonly _manifests: () => readonly Manifest[];

  private constructor(manifests: () => readonly Manifest[]) { this._manifests = manifests; }
}
