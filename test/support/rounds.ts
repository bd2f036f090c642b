/** How often something random is tried: a few times with every run, and many times by `npm run test:thorough`. */
export const rounds = (usual: number, thorough: number): number => (process.env.MODE === 'thorough' ? thorough : usual);
