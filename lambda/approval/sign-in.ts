import { HttpError } from '../http/http';
import { asked, authorizationServer, directory } from './directory';

/** Redeems the code that the issuer gave the page (RFC 6749, 4.1). The page itself talks to nobody but its own address. */
export async function redeem({ code, verifier, redirectUri, issuer }: { readonly code: string; readonly verifier: string; readonly redirectUri: string; readonly issuer?: string | undefined }): Promise<{ readonly accessToken: string }> {
  const oauth = await import('oauth4webapi');
  const server = await authorizationServer();
  const client = { client_id: directory().clientId };
  try {
    // The page has compared the state with its own; the verifier is what proves it here.
    const parameters = oauth.validateAuthResponse(server, client, new URLSearchParams({ code, ...(issuer === undefined ? {} : { iss: issuer }) }), oauth.skipStateCheck);
    const { access_token: accessToken } = await oauth.processAuthorizationCodeResponse(server, client, await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), parameters, redirectUri, verifier, await asked(server.issuer)));
    return { accessToken };
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError || error instanceof oauth.OperationProcessingError) throw new HttpError(401, 'SignInRefused', 'the directory did not take the sign-in; sign in again');
    throw error;
  }
}
