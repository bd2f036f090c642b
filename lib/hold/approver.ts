import { ControlsError, shown } from '../scope/controls-error';

/** Who may decide a hold. A value: people come and go in the directory, not in the template. */
export class Approver {
  /**
   * Any person of this group, signed in with MFA: whoever may assume the IAM role `<controlsName>-approver-<group>`.
   *
   * @param name 1 to 30 characters of `a-z`, `0-9` and `-`.
   * @throws `ApproverInvalid`
   */
  public static group(name: string): Approver {
    if (!/^[a-z][a-z0-9-]{0,29}$/.test(name)) throw new ControlsError('ApproverInvalid', `the name of a group must be 1 to 30 of a-z, 0-9 and -, got ${shown(name)}; rename the group`);
    return new Approver(name);
  }

  /** Name of the group. */
  public readonly groupName: string;

  private constructor(groupName: string) { this.groupName = groupName; }
}
