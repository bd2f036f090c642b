import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AccessModel } from '../../../lib/access/access-model';
import { table, text } from '../../../lib/scope/markdown';
import { accessPage } from '../../commands/access';
import { reviews } from '../../commands/access-review';
import { said } from '../entries';
import type { PageMaker } from '../page';

const REVIEWED_DAYS = 90;

/** Control 1: who may do what, what nobody could prove, and who looked at it. */
export const access: PageMaker = {
  name: '02-access',
  async make({ log, assembly }) {
    const model = assembly !== undefined && existsSync(join(assembly, 'manifest.json')) ? AccessModel.fromAssembly(assembly) : undefined;
    const reviewed = await reviews(log, REVIEWED_DAYS);
    return {
      title: 'Access',
      shows: 'The matrix of who may do what and by which enforcer, every way around the gate, what could not be proven, and the results of access reviews.',
      markdown: [
        ...(model ? [accessPage(model).replaceAll(/^(#+) /gm, '#$1 ')] : ['**Not made:** no synthesized app was given. `cdk synth`, then `--assembly cdk.out`.']), '',
        '## Access reviews', '',
        ...table(['agent', 'approved by', 'last review', 'permissions', `unused in ${REVIEWED_DAYS} days`, 'widened since'], reviewed.map(({ agent, approvedBy, lastReview, permissions, creep }) => [
          text(agent), text(approvedBy ?? 'nobody'), lastReview ? `${text(lastReview.by)}, ${lastReview.at.slice(0, 10)}` : '**never reviewed**', said(permissions.length), said(permissions.filter(({ times }) => times === 0).length), creep.filter(({ kind }) => kind !== 'narrowed').map(({ sentence }) => text(sentence)).join('; ') || 'nothing',
        ])),
      ],
      data: { permissions: model?._permissions() ?? null, refused: model?._findings.filter(({ kind }) => kind === 'refused') ?? null, unproven: model?.unproven() ?? null, reviews: reviewed },
      hides: ['Rights that were given by hand in the account, outside of the app: IAM Access Analyzer sees those.', 'What resources refer to that the app imports; those edges are listed as not proven.'],
    };
  },
};
