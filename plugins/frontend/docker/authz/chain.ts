import { codeOf, type Ctx, forbidden, GantryError, internal, type Logger, messageOf } from '@gantry/sdk';
import type { AuthzAnswer, AuthzDriver, AuthzRequest, AuthzResponse } from '@gantry/sdk/authz';
import type { AuthzLink } from '@gantry/sdk/frontend';

/** The configured authz drivers, asked in their order: the first that refuses, or fails, ends the request. */
export class Chain {
  readonly #links: readonly AuthzLink[];
  readonly #log: Logger;

  constructor(links: readonly AuthzLink[], log: Logger) {
    this.#links = links;
    this.#log = log;
  }

  /** `forbidden` in Docker's words when a driver refuses, `internal` when one cannot be asked. */
  request(request: AuthzRequest, signal: AbortSignal): Promise<void> {
    return this.#ask((driver, ctx) => driver.authorizeRequest(request, ctx), signal);
  }

  response(response: AuthzResponse, signal: AbortSignal): Promise<void> {
    return this.#ask((driver, ctx) => driver.authorizeResponse(response, ctx), signal);
  }

  async #ask(question: (driver: AuthzDriver, ctx: Ctx) => Promise<AuthzAnswer>, signal: AbortSignal): Promise<void> {
    const ctx: Ctx = { signal, log: this.#log, operationId: '' };
    for (const link of this.#links) {
      const { allow, message } = await this.#answer(link, (driver) => question(driver, ctx), signal);
      if (!allow) throw forbidden(`authorization denied by plugin ${link.name}: ${message}`);
    }
  }

  async #answer(
    { name, driver }: AuthzLink,
    question: (driver: AuthzDriver) => Promise<AuthzAnswer>,
    signal: AbortSignal,
  ): Promise<AuthzAnswer> {
    try {
      return await question(await driver());
    } catch (error) {
      if (signal.aborted) throw error;
      const hint = GantryError.is(error) ? error.hint : undefined;
      throw internal(`plugin ${name} failed with error: ${messageOf(error)}`, { cause: error, hint, facts: { code: codeOf(error) } });
    }
  }
}
