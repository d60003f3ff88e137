// What an operator gets who has changed files of the login and says so: which of them are in force, and whether the server accepts them.
//
// LOGIN-RENEWAL-1. The connection is not cut, so that no call is lost. The new login is used for the next connect.
// LOGIN-RENEWAL-2. The server is asked over a second connection, which is closed immediately: a login that it refuses is noticed while the
//     connection with the previous one still serves. What is no refusal, such as a handshake that took too long, is tried again.
import { AuthorizationError, type NatsConnection } from '#@nats-io/nats-core';
import type { Logger } from '../../telemetry/log.js';
import type { LoginContents } from './login-files.js';

const TRIES = 5;

/** `connectAgain`: the second connection; null: there is no first one, and the next attempt uses the new login. Never rejects. */
export async function renewLogin(
  contents: LoginContents,
  log: Logger,
  connectAgain: () => Promise<NatsConnection> | null,
): Promise<void> {
  if (!contents.hasFiles) return;
  contents.forgetProblems();
  const { changed, kept } = contents.readAll();
  log.info({ event: 'nats_login_read', changed, kept });
  for (let tries = 1; ; tries += 1)
    try {
      const second = connectAgain();
      if (second === null) return;
      await (await second).close();
      log.info({ event: 'nats_login_accepted' });
      return;
    } catch (error) {
      if (tries < TRIES && !isRefusal(error)) continue;
      log.error({ event: 'nats_login_failed', error: String(error) });
      return;
    }
}

/** The server says the same class of error of a login that came too late. */
const isRefusal = (error: unknown): boolean => error instanceof AuthorizationError && !/timeout/i.test(error.message);
