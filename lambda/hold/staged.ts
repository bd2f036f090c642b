import { open, seal } from '../action/sealed';
import type { Staged } from '../action/protocol';

/** What was fixed and looked at when a hold was staged, as it is kept: nobody reads it in the table. */
export const sealStaged = (decisionId: string, staged: Staged): Promise<string> => seal('staged', decisionId, staged);

/** Opens it. */
export const openStaged = (decisionId: string, sealed: string): Promise<Staged> => open<Staged>('staged', decisionId, sealed);
