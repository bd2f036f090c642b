/** Something an agent may or may not do. */
export class Access {
  /** Reading a column, as `leads.name`, or anything of a table, as `payments.*`; by any action and by SQL of its own. */
  public static read(column: string): Access { return new Access({ verb: 'read', column }); }

  /** Writing a column, or anything of a table, as `contracts.*`; by any action and by SQL of its own. */
  public static write(column: string): Access { return new Access({ verb: 'write', column }); }

  /**
   * Calling an action and having it run without anyone being asked; with parameters, this very call, which needs all of them. Everything else is
   * taken to be as good for the agent as can be: stored rows meet the card's conditions, no limit is used up, the request names every value.
   */
  public static callUnattended(actionName: string, parameters?: { [name: string]: any }): Access { return new Access({ verb: 'callUnattended', actionName, parameters }); }

  /** Calling an action at all, held or not; with parameters, this very call. */
  public static call(actionName: string, parameters?: { [name: string]: any }): Access { return new Access({ verb: 'call', actionName, parameters }); }

  /** An AWS action on a resource, `*` for any, by the agent's role with its boundary and session policy. */
  public static aws(action: string, resourceArn?: string): Access { return new Access({ verb: 'aws', action, resourceArn: resourceArn ?? '*' }); }

  /** @internal */
  public readonly _of: Asked;

  private constructor(of: Asked) { this._of = of; }
}

/** What an `Access` asks, as data. */
export type Asked =
  | { readonly verb: 'read' | 'write'; readonly column: string }
  | { readonly verb: 'call' | 'callUnattended'; readonly actionName: string; readonly parameters: Readonly<Record<string, unknown>> | undefined }
  | { readonly verb: 'aws'; readonly action: string; readonly resourceArn: string };
