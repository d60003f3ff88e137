// The one form of every refusal: a problem document (RFC 9457), with the member `error` of the first version of the API beside it.
import type { FastifyReply } from '#fastify';
import { Type } from '#typebox';
import { HTTP_ERRORS, type HttpErrorCode } from './http-errors.js';

export const PROBLEM_JSON = 'application/problem+json';
/** Of `detail`: what a client sent may be in it. */
const MAX_DETAIL = 300;

/** What a route throws when it refuses a request. `more`: further members of the problem. */
export class HttpProblem extends Error {
  /** `status`: only where it depends on more than the code. */
  constructor(
    readonly code: HttpErrorCode,
    message: string,
    readonly more: object = {},
    readonly status: number = HTTP_ERRORS[code].status,
  ) {
    super(message);
  }
}

export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'urn:extreg:error:<code>' }),
    title: Type.String({ description: 'The code in words; the same for every problem of this code.' }),
    status: Type.Integer(),
    detail: Type.String({ description: 'What was expected, what came, and what to do.' }),
    code: Type.String(),
    error: Type.Object(
      { code: Type.String(), message: Type.String() },
      { description: 'As in the first version of this API.' },
    ),
  },
  { $id: 'Problem' },
);

/** The members of a problem document, in the order in which they are sent. */
export function problemOf({ code, message, more, status }: HttpProblem) {
  const detail = message.length > MAX_DETAIL ? `${message.slice(0, MAX_DETAIL)}…` : message;
  const words = code.replaceAll('_', ' ');
  return {
    type: `urn:extreg:error:${code}`,
    title: `${words[0]?.toUpperCase()}${words.slice(1)}`,
    status,
    detail,
    code,
    ...more,
    error: { code, message: detail },
  };
}

/** As text, which no response schema of a route can cut. */
export const sendProblem = (reply: FastifyReply, problem: HttpProblem): FastifyReply =>
  reply
    .code(problem.status)
    .type(`${PROBLEM_JSON}; charset=utf-8`)
    .send(JSON.stringify(problemOf(problem)));

/** For the documentation of a route: the answers that stand for these codes, by status. */
export const problems = (...codes: readonly HttpErrorCode[]): Record<number, object> => problemResponses(codes);

export function problemResponses(codes: readonly HttpErrorCode[]): Record<number, object> {
  const byStatus = new Map<number, HttpErrorCode[]>();
  for (const code of codes) {
    const { status } = HTTP_ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries([...byStatus].map(([status, of]) => [status, problemResponse(of)]));
}

function problemResponse(codes: readonly HttpErrorCode[]): object {
  const [first] = codes;
  const example = first === undefined ? {} : problemOf(new HttpProblem(first, HTTP_ERRORS[first].when));
  return {
    description: codes.map((code) => `\`${code}\`: ${HTTP_ERRORS[code].when}`).join('\n\n'),
    content: { [PROBLEM_JSON]: { schema: { $ref: 'Problem#' }, example } },
    'x-extreg-codes': codes,
  };
}
