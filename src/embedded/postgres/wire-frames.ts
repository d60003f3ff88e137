// Frames of the PostgreSQL wire protocol (3.0): cut out of a stream, read as far as needed, and made.
// https://www.postgresql.org/docs/current/protocol-message-formats.html

/** Request codes in place of a protocol version in the first message of a connection. */
export const SSL_REQUEST = 80877103;
export const GSS_REQUEST = 80877104;
export const CANCEL_REQUEST = 80877102;

/** Larger than any message of ours or psql's; what claims more is not the protocol. */
const FRAME_MAX_BYTES = 512 * 1024 * 1024;

export const frameType = (frame: Buffer): string => String.fromCharCode(frame[0] ?? 0);

/** Collects the bytes of one direction and gives them back as whole frames. */
export class FrameBuffer {
  private chunks: Buffer[] = [];
  private size = 0;
  private needed = 0;

  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
  }

  /** The next frame, null until it is whole. `typed`: all but the first message of a connection begin with a type byte. */
  shift(typed: boolean): Buffer | null {
    const header = typed ? 5 : 4;
    // Joined only when enough has come: a large frame in many chunks is copied once.
    if (this.size < Math.max(header, this.needed)) return null;
    const all = this.chunks.length === 1 && this.chunks[0] ? this.chunks[0] : Buffer.concat(this.chunks);
    this.chunks = [all];
    const length = all.readInt32BE(header - 4) + header - 4;
    if (length < header || length > FRAME_MAX_BYTES) throw new RangeError(`frame of ${length} bytes`);
    this.needed = length;
    if (this.size < length) return null;
    this.chunks = length === all.length ? [] : [all.subarray(length)];
    this.size -= length;
    this.needed = 0;
    return all.subarray(0, length);
  }
}

/** Every frame of a whole answer, as views. */
export function* framesOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    yield bytes.subarray(at, end);
    at = end;
  }
}

export function frame(type: string, ...parts: readonly (string | Buffer)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part)));
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeInt32BE(value, index * 4);
  return bytes;
}

export function startupMessage(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Buffer.concat([
    ...Object.entries(parameters).map(([name, value]) => Buffer.from(`${name}\0${value}\0`)),
    Buffer.from('\0'),
  ]);
  return Buffer.concat([int32(body.length + 8, 196608), body]);
}

/** An ErrorResponse that ends the connection. */
export function fatalError(code: string, message: string): Buffer {
  return frame('E', 'SFATAL', 'VFATAL', `C${code}`, `M${message}`, Buffer.from('\0'));
}

/** The text of a Query or Parse frame; null for other frames. */
export function statementText(bytes: Buffer): string | null {
  const type = frameType(bytes);
  if (type !== 'Q' && type !== 'P') return null;
  const start = type === 'Q' ? 5 : bytes.indexOf(0, 5) + 1;
  return bytes.toString('utf8', start, bytes.indexOf(0, start));
}

/** Channel of a NotificationResponse. */
export function notificationChannel(bytes: Buffer): string {
  return bytes.toString('utf8', 9, bytes.indexOf(0, 9));
}
