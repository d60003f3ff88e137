// The text of an access token, which is shown once, and the hash that is kept of it.
import { createHash } from 'node:crypto';

const PREFIX = 'extreg_';
export const TOKEN_BYTES = 32;

/** `random`: TOKEN_BYTES bytes that cannot be guessed. */
export const tokenText = (random: Buffer): string => PREFIX + random.toString('base64url');

/** SHA256 in hexadecimal digits: the text is random, so a slow hash would gain nothing. */
export const tokenHash = (text: string): string => createHash('sha256').update(text).digest('hex');
