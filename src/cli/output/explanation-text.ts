// An explanation for the operator: which version was chosen, which candidates are asked in which order, and what the call would get.
//
// EXPLANATION-TEXT-1. Every verdict is a sentence that says why; context that no rule reads is reported.
// EXPLANATION-TEXT-2. Names from the registry or a caller are escaped, so that they cannot control the terminal (output.ts).
import { UNAVAILABLE_REASONS } from '../../domain/registry/errors.js';
import type {
  ExplainedCandidate,
  ExplainedInstance,
  ExplainedVersion,
  Explanation,
} from '../../domain/routing/explanation-schema.js';
import { textTable } from './output.js';
import { refusedRowsText } from './refused-text.js';
import { PLAIN, painted, type Style } from './style.js';
import { singleLine } from './terminal-text.js';

export function explanationText(explanation: Explanation, style: Style = PLAIN): string {
  const { extension_id, context, versions, candidates, unused, warnings, refused_rows } = explanation;
  const pairs = Object.entries(context).map(([key, value]) => `${key}=${value}`);
  const facts = [
    `${extension_id}  ${pairs.length === 0 ? 'no context' : pairs.join('  ')}`,
    `chosen: ${chosenText(explanation)}`,
    ...(unused.length === 0 ? [] : [`nothing looks at: ${unused.join(', ')}`]),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
  const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
    rows.length === 0 ? '' : textTable(header, rows, style);
  const instances = candidates.flatMap((candidate) =>
    candidate.instances.map((instance) => instanceCells(candidate, instance)),
  );
  const parts = [
    lines(facts),
    table(
      ['VERSION', 'WHY'],
      versions.map((version) => [version.version, versionText(version, explanation)]),
    ),
    table(
      ['CANDIDATE', 'AS', 'STATE', 'SUCCESS', 'RESULT'],
      [...candidates.map((candidate) => candidateCells(candidate, explanation)), ...skippedCells(explanation)],
    ),
    table(['INSTANCE', 'OF', 'SUBJECT', 'WEIGHT', 'SHARE', 'WHY'], instances),
    refusedRowsText(refused_rows),
    answerLine(explanation, style),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const lines = (texts: readonly string[]): string => texts.map((text) => `${singleLine(text)}\n`).join('');

function chosenText({ chosen, rollout }: Explanation): string {
  if (chosen === null) return 'no version';
  const chance = 'by chance at each call, since the context has no key for it';
  switch (chosen.by) {
    case 'rules':
      return `${chosen.version} by rules`;
    case 'rollout':
    case 'default':
      if (rollout === null) return `${chosen.version} by ${chosen.by}`;
      return `${chosen.version} by ${chosen.by}, ${rollout.key === null ? chance : `for ${rollout.key}=${rollout.value}`}`;
    default:
      return chosen.by satisfies never;
  }
}

function versionText({ verdict, percent, unmet }: ExplainedVersion, { chosen, rollout }: Explanation): string {
  const share = percent === null ? '' : `${Number(percent.toFixed(2))} %`;
  const left = percent === null ? '' : `, takes the ${share} that the rollout leaves`;
  const isByRules = chosen?.by === 'rules';
  switch (verdict) {
    case 'chosen':
      if (isByRules) return 'chosen: its rules match';
      if (chosen?.by === 'default') return `chosen: the default${left}`;
      return `chosen: ${rollout?.key === null ? 'this draw' : 'the key'} is in its ${share} of the rollout`;
    case 'disabled':
      return 'disabled';
    case 'excluded':
      return `excluded: ${unmetText(unmet)}`;
    case 'outranked':
      return 'outranked: its rules match, those of another come first';
    case 'rollout':
      if (isByRules) return `has ${share} of the rollout, which takes what no rules take`;
      return `has ${share} of the rollout, ${rollout?.key === null ? 'this draw' : 'the key'} is not in it`;
    case 'default':
      return `the default${left}`;
    case 'stand_in':
      return 'a failover candidate of the default';
    default:
      return verdict satisfies never;
  }
}

function unmetText(unmet: ExplainedVersion['unmet']): string {
  if (unmet === null) return 'its rules do not match';
  const { key, wanted, got } = unmet;
  return `${key} must be ${wanted.join(' or ')}, got ${got ?? 'none'}`;
}

const AS: Readonly<Record<ExplainedCandidate['why'], string>> = {
  rules: 'chosen by rules',
  rollout: 'chosen by rollout',
  default: 'default',
  stand_in: 'stand-in',
  fallback: 'fallback',
};

function candidateCells(candidate: ExplainedCandidate, explanation: Explanation): string[] {
  const { why, circuit_breaker_state: state, success_rate } = candidate;
  return [targetName(candidate), AS[why], state, percentText(success_rate), resultText(candidate, explanation)];
}

function resultText(candidate: ExplainedCandidate, { answer }: Explanation): string {
  const weak = candidate.passed_over ? '; fails so often that nine calls of ten ask other candidates first' : '';
  switch (candidate.verdict) {
    case 'taken':
      return `${answer.kind === 'taken' ? `taken: ${placeText(answer)}` : 'taken'}${weak}`;
    case 'refused':
      return `refused: ${reasonText(candidate.reason)}${weak}`;
    case 'not_asked':
      return `not asked: another gets the call${weak}`;
    default:
      return candidate.verdict satisfies never;
  }
}

function reasonText(reason: string | null): string {
  if (reason === null) return 'no reason given';
  if (reason === 'overloaded') return 'overloaded, max_in_flight calls are in flight';
  if (!Object.hasOwn(UNAVAILABLE_REASONS, reason)) return reason;
  // The rest of the message is advice for callers.
  const [sentence] = UNAVAILABLE_REASONS[reason as keyof typeof UNAVAILABLE_REASONS].split('; ');
  return `${reason}, ${sentence?.replaceAll('`', '')}`;
}

const SKIPPED: Readonly<Record<string, string>> = {
  extension_not_found: 'there is no such extension',
  other_type: 'it is of another type',
};

const skippedCells = ({ skipped }: Explanation): string[][] =>
  skipped.map(({ extension_id, reason }) => {
    const why = Object.hasOwn(SKIPPED, reason) ? SKIPPED[reason] : reasonText(reason);
    return [extension_id, AS.fallback, '-', '-', `skipped: ${why}`];
  });

function instanceCells(candidate: ExplainedCandidate, instance: ExplainedInstance): string[] {
  const { id, subject, weight, share } = instance;
  const isTaken = candidate.verdict === 'taken';
  const cells = [id, targetName(candidate), subject, String(weight), `${Math.round(share * 100)} %`];
  return [...cells, instanceText(instance.verdict, isTaken)];
}

function instanceText(verdict: ExplainedInstance['verdict'], isTaken: boolean): string {
  switch (verdict) {
    case 'next':
      return isTaken ? 'picked for this call' : 'would be picked';
    case 'trial':
      return `out of rotation: it failed too often, ${isTaken ? 'tried with this call' : 'would be tried'}`;
    case 'in_rotation':
      return 'in rotation';
    case 'ejected':
      return 'out of rotation: it failed too often';
    case 'reported':
      return 'out of rotation: an operator reports it unhealthy';
    case 'full':
      return 'full: as many calls in flight as hash_balance_factor allows';
    case 'resting':
      return 'resting: it asked for a pause';
    case 'drained':
      return 'drained: its weight is 0';
    case 'disabled':
      return 'disabled';
    default:
      return verdict satisfies never;
  }
}

/** Its first word is the outcome. */
function answerLine(explanation: Explanation, style: Style): string {
  const [word = '', ...rest] = singleLine(answerText(explanation)).split(/\b/);
  return `answer: ${painted(word, style)}${rest.join('')}\n`;
}

function answerText({ answer }: Explanation): string {
  switch (answer.kind) {
    case 'taken':
      return `taken by ${targetName(answer)}, ${placeText(answer)}`;
    case 'refused': {
      const { code, message, reason, retryable } = answer;
      const detail = reason === null || reason === code || message.includes(reason) ? '' : ` (${reason})`;
      return `refused, ${code}: ${message}${detail}; ${retryable ? 'retryable' : 'not retryable'}`;
    }
    default:
      return answer satisfies never;
  }
}

const placeText = ({ instance_id, subject }: { readonly instance_id: string | null; readonly subject: string }) =>
  instance_id === null ? `any subscriber of ${subject}` : `instance ${instance_id} on ${subject}`;

const targetName = ({ extension_id, version }: { readonly extension_id: string; readonly version: string }): string =>
  `${extension_id}@${version}`;

const percentText = (rate: number | null): string => (rate === null ? '-' : `${(rate * 100).toFixed(1)} %`);
