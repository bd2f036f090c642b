export default { name: 'not an action' };
