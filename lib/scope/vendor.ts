import { ControlsError, shown } from './controls-error';

/** Somebody else's company that an action or a model hands data to, and who has looked at it. */
export interface Vendor {
  /** Company. */
  readonly name: string;
  /** Classes of data that it is handed. */
  readonly dataClasses: readonly string[];
  /** Companies that it hands data on to. Write `[]` to say that there are none. */
  readonly subProcessors: readonly string[];
  /** Who reviewed its security, and until which day that counts, `YYYY-MM-DD`. */
  readonly review: { readonly by: string; readonly until: string };
  /** Whom to call there when something goes wrong: an address, a number, a page. */
  readonly escalation: string;
}

/**
 * Checks what is said of a vendor.
 *
 * @param of whose it is, for the error.
 * @throws `VendorInvalid`
 */
export function checkedVendor(of: string, vendor: Vendor): Vendor {
  const { name, dataClasses, subProcessors, review, escalation } = vendor;
  const said = (text: unknown): boolean => typeof text === 'string' && text.trim() !== '';
  const fault = !said(name) ? ['a name', name] : !Array.isArray(dataClasses) || !dataClasses.every(said) ? ['dataClasses as a list of names', dataClasses] : !Array.isArray(subProcessors) || !subProcessors.every(said) ? ['subProcessors as a list of companies, [] for none', subProcessors]
    : !said(review?.by) ? ['review.by, who looked at it', review?.by] : !/^\d{4}-\d{2}-\d{2}$/.test(review.until) || Number.isNaN(Date.parse(review.until)) ? ['review.until as YYYY-MM-DD', review.until] : !said(escalation) ? ['escalation, whom to call', escalation] : undefined;
  if (fault) throw new ControlsError('VendorInvalid', `the vendor of ${of} needs ${String(fault[0])}, got ${shown(fault[1])}; correct it`);
  return vendor;
}

/** Whether a review is over; a day counts to its end, UTC. */
export const isReviewOver = ({ review }: Pick<Vendor, 'review'>, today: string): boolean => review.until < today;
