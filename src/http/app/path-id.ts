// The id of an extension in the path of a route.
import { Type } from '#typebox';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import { HttpProblem } from './problem.js';

export const ID_PARAMS = Type.Object({ id: Type.String({ description: 'Id of the extension, percent-encoded.' }) });

/** Throws the refusal if it is none. */
export function extensionId({ id }: { readonly id: string }): string {
  if (!isExtensionId(id)) throw new HttpProblem('invalid_request', NO_ID);
  return id;
}
