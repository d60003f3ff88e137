// What would happen to a call with this context. The context is in the address, so that an answer can be shown to a colleague.
import { useSignal } from '@preact/signals';
import type { Explanation } from '../../src/domain/routing/explanation-schema.js';
import { useReading } from '../live/reading.js';
import { CONTEXT_KEYS, filled, Pairs } from '../parts/pairs.js';
import { Fault, Loading } from '../parts/states.js';
import { address, go } from '../url/address.js';
import { extensionPath } from '../url/paths.js';
import { NONE, percent } from '../words/numbers.js';

export default function ExplainTab({ id }: { readonly id: string }) {
  const query = address.value.query.toString();
  const pairs = useSignal<readonly (readonly [string, string])[]>([...address.peek().query.entries(), ['', '']]);
  const { value, problem, again } = useReading<Explanation>(
    `/admin/extensions/${encodeURIComponent(id)}/explain${query === '' ? '' : `?${query}`}`,
  );
  const ask = () => {
    const text = new URLSearchParams(filled(pairs.value)).toString();
    go(`${extensionPath(id, 'explain')}${text === '' ? '' : `?${text}`}`, { replaces: true });
    again();
  };
  return (
    <>
      <Pairs
        legend="Context of the call"
        pairs={pairs.value}
        known={CONTEXT_KEYS}
        onChange={(next) => {
          pairs.value = next;
        }}
      />
      <p>
        <button type="button" class="main-button" onClick={ask}>
          Explain
        </button>{' '}
        <span class="dim">Asking changes nothing: no call is made.</span>
      </p>
      {problem !== null ? (
        <Fault what="No explanation" detail={problem.detail} code={problem.code} onRetry={again} />
      ) : value === null ? (
        <Loading lines={6} />
      ) : (
        <Answer explanation={value} />
      )}
    </>
  );
}

function Answer({ explanation }: { readonly explanation: Explanation }) {
  const { answer, chosen, versions, candidates, unused, warnings, skipped } = explanation;
  return (
    <section class="explanation" aria-labelledby="answer-title">
      <h2 id="answer-title">
        {answer.kind === 'taken'
          ? `Served by ${answer.extension_id}@${answer.version}${answer.instance_id === null ? '' : `, instance ${answer.instance_id}`}`
          : `Refused: ${answer.message}`}
      </h2>
      <p>
        {chosen === null ? 'No version takes such a call.' : `${chosen.version} is chosen by ${chosen.by}.`}{' '}
        {answer.kind === 'taken'
          ? `It is sent to ${answer.subject}.`
          : `The error is ${answer.code}; ${answer.retryable ? 'retry later' : 'not worth a retry'}.`}
      </p>
      {unused.length === 0 ? null : <p>Nothing looks at: {unused.join(', ')}.</p>}
      {warnings.map((warning) => (
        <p key={warning} class="fault">
          {warning}
        </p>
      ))}
      <h3>Versions</h3>
      <ul class="bullets">
        {versions.map(({ version, verdict, percent: share, unmet }) => (
          <li key={version}>
            <strong>{version}</strong> {verdict.replace('_', ' ')}
            {share === null ? '' : `, ${share} %`}
            {unmet === null ? '' : `: ${unmet.key} must be ${unmet.wanted.join(' or ')}, got ${unmet.got ?? 'none'}`}
          </li>
        ))}
      </ul>
      <h3>Candidates, in the order in which they are asked</h3>
      <ol class="bullets">
        {candidates.map((one) => (
          <li key={`${one.extension_id} ${one.version}`}>
            <strong>
              {one.extension_id}@{one.version}
            </strong>{' '}
            {one.verdict.replace('_', ' ')}
            {one.reason === null ? '' : `: ${one.reason}`} · {one.circuit_breaker_state.replace('_', '-')} · success{' '}
            {percent(one.success_rate)}
            {one.instances.length === 0 ? null : (
              <ul class="bullets">
                {one.instances.map(({ id, verdict, weight, share }) => (
                  <li key={id}>
                    {id}: {verdict.replace('_', ' ')}, weight {weight}, {percent(share)}
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ol>
      {skipped.length === 0 ? null : (
        <p>Skipped: {skipped.map(({ extension_id: id, reason }) => `${id} (${reason || NONE})`).join(', ')}.</p>
      )}
    </section>
  );
}
