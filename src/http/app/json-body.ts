// Bodies of requests: JSON as it was sent, or a refusal.
//
// JSON-BODY-1. What can be read in two ways is refused: a key that is given twice, bytes that are no UTF-8.
import { TextDecoder } from 'node:util';
import { type Json, JsonSyntaxError, parseExactJson } from '../../domain/exact-json.js';
import { HttpProblem } from './problem.js';

const MAX_DEPTH = 100;

/** JSON-BODY-1. A byte order mark at the beginning is left out. Throws HttpProblem. */
function jsonIn(bytes: Buffer): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpProblem('invalid_request', 'the body must be JSON in UTF-8, and some of its bytes are not');
  }
  try {
    return parseExactJson(text, MAX_DEPTH);
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw new HttpProblem('invalid_request', error.message);
    throw error;
  }
}

type Done = (error: Error | null, body?: unknown) => void;

/** A parser of bodies for fastify. `read`: what is made of the JSON. */
export const bodyParser =
  (read: (json: Json) => unknown) =>
  (_request: unknown, bytes: Buffer, done: Done): void => {
    let body: unknown;
    try {
      body = read(jsonIn(bytes));
    } catch (error) {
      return done(error as Error);
    }
    done(null, body);
  };
