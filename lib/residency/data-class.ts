import { ControlsError, shown } from '../scope/controls-error';
import { UNCLASSIFIED } from '../scope/residency';

/** A class of data. What carries no class counts as the most restricted one. */
export class DataClass {
  /** Anyone may see it. */
  public static readonly PUBLIC = new DataClass('public');
  /** Company names, deal stages, tiers. */
  public static readonly BUSINESS = new DataClass('business');
  /** Names, addresses, phone numbers of people at work. */
  public static readonly CONTACT = new DataClass('contact');
  /** Terms of a contract. */
  public static readonly CONTRACT = new DataClass('contract');
  /** Card numbers, bank accounts, payment methods. */
  public static readonly PAYMENT = new DataClass('payment');
  /** Health. */
  public static readonly HEALTH = new DataClass('health');
  /** Government ids, and what else identifies or hurts a private person. */
  public static readonly SENSITIVE_PII = new DataClass('sensitive-pii');
  /** Keys, tokens, passwords. Cleared for no provider, ever. */
  public static readonly SECRET = new DataClass('secret');

  /**
   * A class of your own; no provider may see it until it is cleared for it.
   *
   * @throws `DataClassInvalid`
   */
  public static of(className: string): DataClass {
    if (!/^[a-z][a-z0-9-]{0,39}$/.test(className) || className === UNCLASSIFIED) throw new ControlsError('DataClassInvalid', `a class is 1 to 40 of a-z, 0-9 and -, and not ${UNCLASSIFIED}, got ${shown(className)}; choose another`);
    return new DataClass(className);
  }

  /** Name that cards and columns use. */
  public readonly className: string;

  private constructor(className: string) { this.className = className; }
}
