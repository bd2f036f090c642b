/** Which criteria of SOC 2 a page speaks to, and how far: the trust services criteria of 2017 with the points of focus of 2022. */
export interface Criterion {
  readonly criterion: string;
  readonly asks: string;
  readonly met: 'satisfied' | 'partly' | 'not';
  /** Names of pages. */
  readonly pages: readonly string[];
  /** Why it is no more, or what is left to whoever runs it. */
  readonly left: string;
}

/** What the control plane can show of itself. What people around it do, it cannot. */
export const CRITERIA: readonly Criterion[] = [
  { criterion: 'CC6.1', asks: 'logical access: identities, credentials, segregation', met: 'satisfied', pages: ['01-scope-cards', '02-access', '05-rotation'], left: 'of agents; people\'s access to the account is yours' },
  { criterion: 'CC6.2', asks: 'access is authorised before it is given, and taken away', met: 'satisfied', pages: ['01-scope-cards', '10-changes'], left: 'who signs a card is whom you name' },
  { criterion: 'CC6.3', asks: 'least privilege, roles, changes of access', met: 'satisfied', pages: ['02-access', '10-changes'], left: 'reviews happen when somebody does them' },
  { criterion: 'CC6.6', asks: 'threats from outside the system', met: 'partly', pages: ['06-injection', '04-holds'], left: 'the API has no web application firewall; limits are in its code' },
  { criterion: 'CC6.7', asks: 'data that leaves', met: 'satisfied', pages: ['08-residency', '06-injection'], left: 'of agents and models; other ways out of the account are yours' },
  { criterion: 'CC6.8', asks: 'unauthorised software', met: 'partly', pages: ['10-changes'], left: 'bundles are pinned by digest; what programs of agents run is yours' },
  { criterion: 'CC7.1', asks: 'changes of configuration and vulnerabilities are detected', met: 'partly', pages: ['10-changes', '03-decisions'], left: 'drift of schema and log is found by verification; scanning dependencies is yours' },
  { criterion: 'CC7.2', asks: 'anomalies are monitored', met: 'satisfied', pages: ['12-findings'], left: 'who is woken is whom you subscribe' },
  { criterion: 'CC7.3', asks: 'events are evaluated', met: 'partly', pages: ['12-findings', '03-decisions'], left: 'the finding names its rows; the judgement is a person\'s' },
  { criterion: 'CC7.4', asks: 'incidents are answered', met: 'satisfied', pages: ['09-kill-switch', '07-reverses', '12-findings'], left: 'by whoever is on call on the card' },
  { criterion: 'CC7.5', asks: 'recovery', met: 'partly', pages: ['07-reverses', '09-kill-switch'], left: 'what agents did is undone; restoring the database from backups is yours to practise' },
  { criterion: 'CC8.1', asks: 'changes are authorised, tested and documented', met: 'partly', pages: ['10-changes', '01-scope-cards'], left: 'cards and versions are; review of code is in your repository' },
  { criterion: 'C1.1', asks: 'confidential information is identified and kept', met: 'satisfied', pages: ['08-residency', '01-scope-cards'], left: 'classes are what the policy says of columns' },
  { criterion: 'C1.2', asks: 'confidential information is disposed of', met: 'satisfied', pages: ['11-retention'], left: 'tables of your applications are yours' },
  { criterion: 'P4.1', asks: 'personal information is used for its purpose', met: 'partly', pages: ['01-scope-cards', '08-residency'], left: 'purpose stands on the card; that it is the one people were told is yours' },
  { criterion: 'P4.2', asks: 'personal information is retained as long as needed', met: 'satisfied', pages: ['11-retention'], left: 'of the log; of applications it is yours' },
  { criterion: 'P4.3', asks: 'personal information is disposed of', met: 'satisfied', pages: ['11-retention'], left: 'backups expire on the day that the receipt names' },
  { criterion: 'P5.1', asks: 'people see what is held of them', met: 'not', pages: [], left: 'the log can be searched for somebody; a process to answer them is yours' },
  { criterion: 'P5.2', asks: 'people have it corrected', met: 'not', pages: [], left: 'entries are not corrected; your applications are' },
  { criterion: 'P6.1', asks: 'disclosure to third parties', met: 'satisfied', pages: ['08-residency'], left: 'of actions that name their vendor; those that do not stand there, too' },
  { criterion: 'P6.7', asks: 'an account of what was disclosed', met: 'partly', pages: ['08-residency', '03-decisions'], left: 'calls of models and outward actions are in the log, per decision' },
];
