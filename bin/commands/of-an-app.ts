/** Commands about an app that is synthesized, or a part of one: they ask nobody. */
export { actionsCommand } from './actions';
export { residencyCommand } from './residency';
export { scopeCommand } from './scope';
