/** What pages of evidence are made of. */
import type { KeyObject } from 'node:crypto';
import type { StatementBucket } from '../../lambda/audit/statement-bucket';
import type { Log } from '../log';
import type { Period } from '../period';

/** One page, and the same for machines. */
export interface Page {
  readonly title: string;
  /** What it shows, in a sentence. */
  readonly shows: string;
  readonly markdown: readonly string[];
  readonly data: unknown;
  /** What a reader might take from it and should not. */
  readonly hides: readonly string[];
  /** Files beside it, by path in the folder. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What pages are made from. */
export interface Material {
  readonly log: Log;
  readonly bucket: StatementBucket;
  readonly keys: readonly KeyObject[];
  /** Newest checkpoint that anchors what is shown. */
  readonly checkpoint: { readonly number: number; readonly databaseAt: string; readonly digest: string };
  /** What is shown: until the checkpoint, or before. */
  readonly period: Period & { readonly until: string };
  /** Folder that `cdk synth` wrote, if there is one. */
  readonly assembly: string | undefined;
  /** What `npm run bench:injection -- --json` wrote. */
  readonly injection: string | undefined;
  /** What `agent-controls tabletop` wrote. */
  readonly tabletops: readonly string[];
  readonly progress: (what: string) => void;
}

/** Makes one page. */
export interface PageMaker {
  /** Name of its files, without the end. */
  readonly name: string;
  readonly make: (of: Material) => Promise<Page>;
}
