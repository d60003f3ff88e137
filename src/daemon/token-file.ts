// `<data dir>/tokens.json`: the access tokens of the last time, for a start without a database. It holds hashes, which open nothing.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type } from '#typebox';
import { Value } from '#typebox/value';
import type { TokenFile } from '../actors/access/token-memory.js';
import { ROLES } from '../domain/access/principal.js';
import type { Logger } from '../telemetry/log.js';

const fileSchema = Type.Object({
  tokens: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      role: Type.Enum([...ROLES]),
      kind: Type.Enum(['token', 'sign_in']),
      hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      actor: Type.String(),
      expiresAtMs: Type.Union([Type.Number(), Type.Null()]),
    }),
  ),
});

export function tokenFile(dataDir: string, log: Logger): TokenFile {
  const path = join(dataDir, 'tokens.json');
  return {
    read() {
      try {
        const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
        if (Value.Check(fileSchema, content)) return content.tokens;
        log.error({ event: 'token_file_unusable', path, error: 'it is not what a daemon writes' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          log.error({ event: 'token_file_unusable', path, error: (error as Error).message });
      }
      return null;
    },
    write(tokens) {
      try {
        // Moved into place, so that a reader finds all of it or nothing.
        writeFileSync(`${path}.new`, `${JSON.stringify({ tokens })}\n`, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (error) {
        log.error({ event: 'token_file_not_written', path, error: (error as Error).message });
      }
    },
  };
}
