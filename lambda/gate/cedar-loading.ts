import { loadCedar } from './cedar';

/** Imported before anything else of the gate, so that Cedar is compiled while the rest is loaded. A failure is met, and denied, where Cedar is needed. */
export const cedarLoading: Promise<void> = loadCedar().catch(() => undefined);
