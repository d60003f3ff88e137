// `extreg token create|ls|revoke`: access tokens, straight in the database, so that the first one needs no daemon.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command, Option } from '#commander';
import type { TokenStore } from '../../actors/ports/access.js';
import type { Config } from '../../config/config.js';
import { ROLES, type Role } from '../../domain/access/principal.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { json, textTable } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { singleLine } from '../output/terminal-text.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { type ConfirmOptions, confirmByName, requiredReason } from '../process/confirm.js';
import { localActor } from '../process/local-actor.js';

const DAY_MS = 86_400_000;

interface TokenOptions extends OutputOptions, ConfirmOptions {
  readonly role?: Role;
  readonly expiresInDays?: string;
  readonly reason?: string;
}

export const tokenCommand: CommandFactory = (io) => {
  const command = new Command('token')
    .addArgument(new Argument('<action>', 'what to do').choices(['create', 'ls', 'revoke']))
    .argument('[name]', 'name of the token: who or what has it')
    .addOption(new Option('--role <role>', 'what it allows; needed by create').choices(ROLES))
    .option('--expires-in-days <days>', 'when it ends; without: never')
    .option('--reason <text>', 'why it is revoked, for the audit trail; needed by revoke, asked for on a terminal')
    .option('--yes', 'without asking; revoke needs it where no terminal can be asked')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
create prints the token alone on standard output; it is not kept anywhere and cannot be shown again.
As soon as a token exists, every daemon of the database asks for one, within two seconds. Commands on the host of
a daemon need none.

Examples:
  extreg token create ada --role admin > ada.token
  extreg ls --url https://registry.example --token-file ada.token
  extreg token revoke ada --reason 'left the team' --yes`,
    );
  return {
    command,
    settings: 'database',
    action: async (action: 'create' | 'ls' | 'revoke', name: string | undefined, options: TokenOptions) => {
      if (action !== 'ls' && name === undefined) command.error(`error: token ${action} needs the name of the token`);
      const wanted = action === 'create' ? await checkedWish(command, name ?? '', options) : null;
      const reason = action === 'revoke' ? await requiredReason(io, options) : '';
      const { config } = await commandConfig(io, options);
      if (wanted !== null) await createToken(io, config, wanted, options);
      else if (action === 'ls') await listTokens(io, config, options);
      else {
        const question = `This ends the access of token ${singleLine(name ?? '')} at every daemon.`;
        await confirmByName(io, { question, name: name ?? '' }, options);
        await revokeToken(io, config, name ?? '', reason, options);
      }
    },
  };
};

interface Wish {
  readonly name: string;
  readonly role: Role;
  /** null: never. */
  readonly expiresAtMs: number | null;
}

async function checkedWish(command: Command, name: string, { role, expiresInDays }: TokenOptions): Promise<Wish> {
  const { MAX_TOKEN_DAYS, tokenNameProblem } = await import('../../domain/access/token.js');
  if (role === undefined) command.error(`error: token create needs --role: ${ROLES.join(', ')}`);
  const problem = tokenNameProblem(name);
  if (problem !== null) command.error(`error: ${problem}`);
  const days = expiresInDays === undefined ? null : Number(expiresInDays);
  if (days !== null && !(days > 0 && days <= MAX_TOKEN_DAYS))
    command.error(`error: --expires-in-days must be a number up to ${MAX_TOKEN_DAYS}, got '${expiresInDays}'`);
  return { name, role, expiresAtMs: days === null ? null : Date.now() + days * DAY_MS };
}

async function createToken(io: CommandIo, config: Config, wish: Wish, options: TokenOptions): Promise<void> {
  const [{ TOKEN_BYTES, tokenHash, tokenText }, { databasePlaces }] = await Promise.all([
    import('../../actors/access/token-text.js'),
    import('../../config/config.js'),
  ]);
  const text = tokenText(randomBytes(TOKEN_BYTES));
  const token = { ...wish, kind: 'token', hash: tokenHash(text), parent: null, createdBy: localActor() } as const;
  const isNew = databasePlaces(config) === null && !existsSync(join(config.data_dir, 'pgdata'));
  const made = await withTokens(config, { create: true }, (store) => store.create(token));
  if (made === null)
    throw new CommandError(
      EXIT.answeredWithError,
      `there is a token named '${wish.name}' already; revoke it with 'extreg token revoke ${wish.name}', or take another name`,
    );
  if (options.json) return void io.stdout.write(json({ token: text, ...made }));
  io.stdout.write(`${text}\n`);
  if (options.quiet) return;
  if (isNew)
    io.stderr.write(
      `extreg: ${singleLine(config.data_dir)} had no database and has one now; daemons on another one do not know this token\n`,
    );
  const ends = made.expires_at === null ? 'it does not expire' : `it expires ${made.expires_at}`;
  io.stderr.write(`extreg: token '${wish.name}' with the role ${wish.role}; ${ends}, and cannot be shown again\n`);
}

async function listTokens(io: CommandIo, config: Config, options: TokenOptions): Promise<void> {
  const tokens = await withTokens(config, { create: false }, (store) => store.list());
  if (options.json) return void io.stdout.write(json({ items: tokens }));
  if (tokens.length === 0) {
    if (options.quiet) return;
    io.stdout.write("there is no token: on loopback, none is asked for; 'extreg token create' makes one\n");
    return;
  }
  const rows = tokens.map(({ name, role, created_by, created_at, expires_at, last_used_at }) => [
    name,
    role,
    created_at,
    created_by,
    expires_at ?? 'never',
    last_used_at ?? 'never',
  ]);
  io.stdout.write(textTable(['NAME', 'ROLE', 'CREATED', 'BY', 'EXPIRES', 'LAST USED'], rows, styleOf(io, options)));
}

async function revokeToken(
  io: CommandIo,
  config: Config,
  name: string,
  reason: string,
  { json: isJson, quiet }: TokenOptions,
): Promise<void> {
  const { revoked, left } = await withTokens(config, { create: false }, async (store) => {
    const token = (await store.list()).find((one) => one.name === name);
    if (token === undefined || !(await store.revoke(token.id, { actor: localActor(), reason })))
      throw new CommandError(EXIT.answeredWithError, `there is no token named '${name}'; 'extreg token ls' lists them`);
    return { revoked: token, left: (await store.list()).length };
  });
  if (isJson) return void io.stdout.write(json({ revoked: revoked.id, name, left }));
  const open = left === 0 ? '; it was the last one, so on loopback no token is asked for any more' : '';
  if (!quiet) io.stdout.write(`token '${singleLine(name)}' is revoked${open}\n`);
}

/**
 * `create`: an embedded database that does not exist yet is made: a daemon beyond loopback needs a token before its first start.
 * Elsewhere that is an error, such as of a mistyped --data-dir.
 */
async function withTokens<T>(
  config: Config,
  { create }: { readonly create: boolean },
  work: (store: TokenStore) => Promise<T>,
): Promise<T> {
  const [{ withRegistry }, { tokenStore }] = await Promise.all([
    import('../registry/registry-database.js'),
    import('../../db/queries/token-queries.js'),
  ]);
  return withRegistry(config, 'extreg token', (db) => work(tokenStore(db)), { create });
}
