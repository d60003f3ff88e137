// normalize_text (pre): trims every text of the payload, collapses its white space, lower-cases it.
import { mapPayload } from './envelope.mjs';
import { serveExtension } from './extension.mjs';

/** @param {string} text */
function normalizeText(text) {
  return text.normalize('NFC').replace(/\s+/gu, ' ').trim().toLowerCase();
}

/** @param {import('./envelope.mjs').Envelope} envelope */
function handle({ payload, metadata }) {
  return { payload: mapPayload(payload, { text: normalizeText }), metadata };
}

await serveExtension({
  name: 'normalize_text',
  version: '1.0.0',
  description: 'Trims, collapses white space and lower-cases text',
  subject: 'beamline.ext.pre.normalize_text.v1',
  handle,
});
