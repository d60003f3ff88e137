// How an answer about rows leaves: as exact JSON, or as the refusal that it is.
import type { FastifyReply } from '#fastify';
import type { RowAnswer } from '../../actors/ports/api.js';
import { type Json, stringifyExactJson } from '../../domain/exact-json.js';
import { HttpProblem } from '../app/problem.js';
import { JSON_TYPE } from './row-request.js';

export function refusalOf(answer: Exclude<RowAnswer, { readonly kind: 'row' }>): HttpProblem {
  switch (answer.kind) {
    case 'deleted':
      throw new Error('a deletion that was not asked for');
    case 'revision_conflict': {
      const { where, revision, changed_by, changed_at } = answer;
      const more = { revision, changed_by, changed_at };
      return new HttpProblem(answer.kind, answer.message, more, where === 'body' ? 409 : undefined);
    }
    case 'row_invalid':
      return new HttpProblem(answer.kind, answer.message, { problems: answer.problems });
    default:
      return new HttpProblem(answer.kind, answer.message);
  }
}

export const sendExactJson = (reply: FastifyReply, value: Json): FastifyReply =>
  reply.type(`${JSON_TYPE}; charset=utf-8`).send(stringifyExactJson(value));
