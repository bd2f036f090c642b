/** What the rotation asks of an issuer's function. */
export type IssuerRequest =
  | { readonly operation: 'create'; readonly current: string; readonly token: string }
  | { readonly operation: 'test'; readonly credential: string }
  | { readonly operation: 'revoke'; readonly credential: string };

/** What it answers: the credential it made, or whether one is valid. */
export interface IssuerAnswer { readonly credential?: string; readonly valid?: boolean }
