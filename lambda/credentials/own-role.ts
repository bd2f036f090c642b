import { fromEnv } from '@aws-sdk/credential-provider-env';

/**
 * Where a handler has its credentials from: Lambda puts those of its role into the environment. Bundles have this in place of the SDK's chain of
 * providers, which would look into files, processes and metadata services as well, and takes longer to load than the rest of a client.
 */
export const defaultProvider = fromEnv;
