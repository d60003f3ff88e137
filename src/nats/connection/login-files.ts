// The files that the configuration names for NATS: their checks, and what was last valid in each.
//
// LOGIN-FILES-1. Files are read again at each attempt to connect. What is invalid then leaves in force what was valid before, and is logged once.
// LOGIN-FILES-2. A certificate and its key are one: neither is used with the other's predecessor.
// LOGIN-FILES-3. No content of a file is logged.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { credsAuthenticator, nkeys } from '#@nats-io/nats-core';
import type { Logger } from '../../telemetry/log.js';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** As the values of the settings beside it: one line. */
const ONE_LINE = /^[^\p{Cc}]{1,4096}$/u;

/** Paths; null or absent: none. */
export interface LoginFiles {
  readonly tokenFile?: string | null;
  readonly passwordFile?: string | null;
  readonly nkeySeedFile?: string | null;
  readonly credsFile?: string | null;
  readonly tlsCaFile?: string | null;
  readonly tlsCertFile?: string | null;
  readonly tlsKeyFile?: string | null;
}

type PartName = 'token' | 'password' | 'nkey' | 'creds' | 'ca' | 'certificate';
type Contents = readonly Buffer[];

/** What is valid or invalid as a whole: one file, or two that belong together. */
interface Part {
  /** The first is the one that is named in a problem. */
  readonly paths: readonly string[];
  readonly expected: string;
  /** Throws if the contents, in the order of the paths, are not what is expected. Returns what is to be used. */
  readonly checked: (contents: Contents) => Contents;
}

/** One sentence per file with an error, for the operator who starts a daemon; none shows the content of a file. */
export const loginFileProblems = (files: LoginFiles): string[] =>
  [...partsOf(files).values()].flatMap((part) => {
    const read = readPart(part);
    return 'problem' in read ? [read.problem] : [];
  });

export class LoginContents {
  readonly #parts: ReadonlyMap<PartName, Part>;
  readonly #valid = new Map<PartName, Contents>();
  readonly #problems = new Map<PartName, string>();

  constructor(
    files: LoginFiles,
    private readonly log: Logger,
  ) {
    this.#parts = partsOf(files);
  }

  /** LOGIN-FILES-1. Reads it again. Throws if it has never been valid, or if no such file is configured. */
  fresh(name: PartName): Contents {
    const part = this.#parts.get(name);
    const problem = part === undefined ? `there is no file for ${name}` : this.#take(name, part);
    const valid = this.#valid.get(name);
    if (valid === undefined) throw new Error(problem ?? '');
    return valid;
  }

  get hasFiles(): boolean {
    return this.#parts.size > 0;
  }

  /** As of the last fresh(). */
  last(name: PartName): Contents {
    return this.#valid.get(name) ?? this.fresh(name);
  }

  /** Reads all of them again. `changed`: paths whose new content is in force; `kept`: those that are invalid now. */
  readAll(): { readonly changed: readonly string[]; readonly kept: readonly string[] } {
    const changed: string[] = [];
    const kept: string[] = [];
    for (const [name, part] of this.#parts) {
      const before = this.#valid.get(name);
      if (this.#take(name, part) !== null) kept.push(...part.paths);
      else {
        const now = this.#valid.get(name);
        changed.push(...part.paths.filter((_, i) => before?.[i] === undefined || !now?.[i]?.equals(before[i])));
      }
    }
    return { changed, kept };
  }

  /** What is logged once is logged again, such as after an operator has asked for it. */
  forgetProblems(): void {
    this.#problems.clear();
  }

  /** What is wrong with it now; null: nothing. */
  #take(name: PartName, part: Part): string | null {
    const read = readPart(part);
    if ('contents' in read) {
      this.#valid.set(name, read.contents);
      this.#problems.delete(name);
      return null;
    }
    const { problem } = read;
    if (this.#problems.get(name) !== problem)
      this.log.error({ event: 'nats_login_file_invalid', problem, keeps_previous: this.#valid.has(name) });
    this.#problems.set(name, problem);
    return problem;
  }
}

function partsOf(files: LoginFiles): ReadonlyMap<PartName, Part> {
  const { tokenFile, passwordFile, nkeySeedFile, credsFile, tlsCaFile, tlsCertFile, tlsKeyFile } = files;
  const parts = new Map<PartName, Part>();
  const add = (name: PartName, paths: (string | null | undefined)[], expected: string, checked: Part['checked']) => {
    const given = paths.filter((path) => typeof path === 'string' && path !== '');
    if (given.length > 0 && given[0] === paths[0]) parts.set(name, { paths: given as string[], expected, checked });
  };
  add('token', [tokenFile], 'a token, one line', oneLine);
  add('password', [passwordFile], 'a password, one line', oneLine);
  add('nkey', [nkeySeedFile], 'an nkey seed of a user', ([bytes = NOTHING]) => {
    const seed = Buffer.from(bytes.toString('utf8').trim());
    if (!nkeys.fromSeed(seed).getPublicKey().startsWith('U')) throw new Error('it is no seed of a user');
    return [seed];
  });
  add('creds', [credsFile], 'credentials of a user, a JWT and an nkey seed', (contents) => {
    credsAuthenticator(contents[0] ?? NOTHING)('nonce');
    return contents;
  });
  add('ca', [tlsCaFile], 'certificates in PEM', (contents) => {
    // Node's TLS ignores certificates that it cannot parse.
    const certificates = contents[0]?.toString('latin1').match(CERTIFICATE) ?? [];
    if (certificates.length === 0) throw new Error('it has none');
    for (const certificate of certificates) new X509Certificate(certificate);
    return contents;
  });
  add(
    'certificate',
    [tlsCertFile, tlsKeyFile],
    `a certificate in PEM that belongs to the key in ${tlsKeyFile}`,
    (contents) => {
      const [cert, key] = contents;
      createSecureContext({ cert, ...(key === undefined ? {} : { key }) });
      return contents;
    },
  );
  return parts;
}

const NOTHING = Buffer.alloc(0);

/** Without the line break that an editor leaves at the end. */
function oneLine([bytes = NOTHING]: Contents): Contents {
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (!ONE_LINE.test(text)) throw new Error(text === '' ? 'it is empty' : 'it has several lines or is too long');
  return [Buffer.from(text)];
}

function readPart(part: Part): { readonly contents: Contents } | { readonly problem: string } {
  try {
    return { contents: part.checked(part.paths.map((path) => readFileSync(path))) };
  } catch (error) {
    const why = (error as Error).message.split('\n', 1)[0];
    return { problem: `${part.paths[0]}: expected ${part.expected}: ${why}` };
  }
}
