/** An error as an AWS service gives it: the SDK of the caller turns the code into its exception class. */
export class ServiceError extends Error {
  public constructor(public readonly code: string, message: string, public readonly status = 400) {
    super(message);
  }
}
