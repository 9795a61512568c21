import { Link } from "react-router";
import type { ComparisonDetail } from "../../../../src/control/api.js";
import { path, queryString } from "../../api";
import { bytes, ms, visible, words } from "../../format";
import { Figure, Figures } from "../../parts/figures";
import { Name } from "../../parts/words";

/** The request, how long both sides took, and how the candidate was tried. */
export function Exchange({ comparison }: { comparison: ComparisonDetail }) {
  const { request, attempts, message, primaryMs, candidateMs, controlMs, primaryVersion } = comparison;
  const tags = Object.entries(request?.tags ?? {});
  const table = path`/deployments/${comparison.deployment}/candidates/${comparison.candidate}`;
  const { run } = comparison;
  const redacted = request?.redacted ?? [];
  return (
    <div className="card">
      <Figures>
        <Figure
          name="primary"
          note={
            primaryVersion !== "" && (
              <>
                version <Name>{primaryVersion}</Name>
              </>
            )
          }
        >
          {ms(primaryMs)}
        </Figure>
        <Figure
          name="candidate"
          note={
            attempts.length > 1
              ? `${attempts.length} attempts`
              : candidateMs !== null && ratio(candidateMs, primaryMs)
          }
        >
          {ms(candidateMs)}
        </Figure>
        {controlMs !== null && <Figure name="control">{ms(controlMs)}</Figure>}
        {request && (
          <Figure name="request" note={`over ${visible(request.transport)}, answered with ${request.status}`}>
            {bytes(request.requestBytes)}
          </Figure>
        )}
        {request && <Figure name="answer">{bytes(request.responseBytes)}</Figure>}
      </Figures>
      {message !== null && (
        <p>
          The candidate's side said:{" "}
          <q>
            <Name>{message}</Name>
          </q>
        </p>
      )}
      {tags.length > 0 && (
        <dl className="tags" aria-label="Tags">
          {tags.map(([tag, value]) => (
            <div key={tag}>
              <dt>
                <Name>{tag}</Name>
              </dt>
              <dd>
                <Link
                  to={`${table}${queryString({ run, result: "any", tag: `${tag}:${value}` })}`}
                  title="Comparisons with this tag"
                >
                  <Name>{value}</Name>
                </Link>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {redacted.length > 0 && (
        <dl className="tags" aria-label="Redacted before anything was written">
          {redacted.map((word) => (
            <div key={word}>
              <dt>redacted</dt>
              <dd>
                <Name>{word.replace(":", " ")}</Name>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {(attempts.length > 1 || attempts.some(({ failure }) => failure)) && <Attempts attempts={attempts} />}
    </div>
  );
}

function Attempts({ attempts }: { attempts: ComparisonDetail["attempts"] }) {
  return (
    <table className="compact">
      <caption>Attempts to reach the candidate</caption>
      <thead>
        <tr>
          <th className="number">#</th>
          <th className="number">began after</th>
          <th className="number">took</th>
          <th>came to</th>
        </tr>
      </thead>
      <tbody>
        {attempts.map((attempt, i) => (
          <tr key={attempt.startedMs}>
            <td className="number">{i + 1}</td>
            <td className="number">{ms(attempt.startedMs)}</td>
            <td className="number">{ms(attempt.latencyMs)}</td>
            <td>
              {attempt.failure ? words(attempt.failure) : "an answer"}
              {attempt.status !== undefined && ` (${attempt.status})`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function ratio(candidateMs: number, primaryMs: number): string | null {
  if (primaryMs <= 0) return null;
  return `${(candidateMs / primaryMs).toFixed(candidateMs < 10 * primaryMs ? 1 : 0)} × the primary's`;
}
