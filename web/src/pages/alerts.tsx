import { Link } from "react-router";
import type { Alert, AlertPage, AlertRule, AlertRulePage } from "../../../src/control/api.js";
import { path, useApi } from "../api";
import { count, duration, percent } from "../format";
import { PageHead, TableScroll } from "../parts/page";
import { Answer, Empty } from "../parts/state";
import { Badge, Moment, Name } from "../parts/words";

export function AlertsPage() {
  const alerts = useApi<AlertPage>("/alerts?limit=100");
  const rules = useApi<AlertRulePage>("/alert-rules?limit=500");
  return (
    <>
      <PageHead title="Alerts" />
      <Answer query={alerts}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No alert.">
              An alert fires when a candidate's diff rate goes above its rule's threshold, or a deployment's
              ledger does not balance.
            </Empty>
          ) : (
            <>
              <AlertTable title="Firing" alerts={items.filter(({ state }) => state === "firing")} />
              <AlertTable title="Resolved" alerts={items.filter(({ state }) => state === "resolved")} />
            </>
          )
        }
      </Answer>
      <section>
        <h2>Rules</h2>
        <Answer query={rules}>
          {({ items }) => (items.length === 0 ? <NoRule /> : <RuleTable rules={items} />)}
        </Answer>
      </section>
    </>
  );
}

function AlertTable({ title, alerts }: { title: string; alerts: readonly Alert[] }) {
  const resolved = title === "Resolved";
  return (
    <section>
      <h2>
        {title} <span className="quiet">{alerts.length}</span>
      </h2>
      {alerts.length > 0 && (
        <TableScroll label={`${title} alerts`}>
          <table>
            <thead>
              <tr>
                <th>rule</th>
                <th>candidate</th>
                <th className="number">diff rate</th>
                <th className="number">threshold</th>
                <th className="number">mismatches</th>
                <th>since</th>
                {resolved && <th>resolved</th>}
                <th>messages</th>
              </tr>
            </thead>
            <tbody>
              {alerts.map((alert) => (
                <tr key={alert.id}>
                  <th scope="row">
                    <Name>{alert.ruleName}</Name> {!resolved && <Badge word={alert.state} />}
                  </th>
                  <td>
                    <Subject alert={alert} />
                  </td>
                  {alert.kind === "ledger" ? (
                    <td colSpan={3}>{alert.detail}</td>
                  ) : (
                    <>
                      <td className="number strong">{percent(alert.diffRate)}</td>
                      <td className="number">{percent(alert.threshold)}</td>
                      <td className="number">
                        {count(alert.mismatches)} of {count(alert.samples)}
                      </td>
                    </>
                  )}
                  <td>
                    <Moment at={alert.startedAt} /> <span className="quiet nowrap">{since(alert)}</span>
                  </td>
                  {resolved && <td>{alert.resolvedAt !== null && <Moment at={alert.resolvedAt} />}</td>}
                  <td>
                    <Deliveries deliveries={alert.deliveries} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </section>
  );
}

/** Whom it is about. */
function Subject({ alert: { deployment, candidate, run } }: { alert: Alert }) {
  if (candidate === null) {
    return (
      <Link to={path`/deployments/${deployment}/ledger`}>
        ledger of <Name>{deployment}</Name>
      </Link>
    );
  }
  return (
    <Link to={`${path`/deployments/${deployment}/candidates/${candidate}`}?run=${run}`}>
      <Name>{deployment}</Name> / <Name>{candidate}</Name>
    </Link>
  );
}

function since({ startedAt, resolvedAt }: Alert): string {
  return resolvedAt === null
    ? `for ${duration(Date.now() - startedAt)}`
    : `for ${duration(resolvedAt - startedAt)}`;
}

function Deliveries({ deliveries }: { deliveries: Alert["deliveries"] }) {
  if (deliveries.length === 0) return <span className="quiet">the rule has no webhook</span>;
  return (
    <ul className="deliveries">
      {deliveries.map((delivery) => (
        <li key={delivery.id}>
          {delivery.event} <Badge word={delivery.state} />{" "}
          <span className="quiet">
            to <Name>{delivery.url}</Name>
            {delivery.attempts > 1 && `, ${delivery.attempts} attempts`}
            {delivery.deliveredAt !== null && (
              <>
                , <Moment at={delivery.deliveredAt} />
              </>
            )}
            {delivery.lastError !== null && delivery.state !== "delivered" && (
              <>
                : <Name>{delivery.lastError}</Name>
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

function RuleTable({ rules }: { rules: readonly AlertRule[] }) {
  return (
    <TableScroll label="Rules">
      <table>
        <thead>
          <tr>
            <th>rule</th>
            <th>watches</th>
            <th>fires when</th>
            <th>webhook</th>
            <th>created</th>
          </tr>
        </thead>
        <tbody>
          {rules.map((rule) => (
            <tr key={rule.id}>
              <th scope="row">
                <Name>{rule.name}</Name> {!rule.enabled && <span className="badge">switched off</span>}
              </th>
              <td>
                <Name>{rule.deployment}</Name> /{" "}
                {rule.kind === "ledger" ? (
                  "the ledger"
                ) : rule.candidate === null ? (
                  "every candidate"
                ) : (
                  <Name>{rule.candidate}</Name>
                )}
              </td>
              <td>
                {rule.kind === "ledger" ? (
                  "it does not balance, twice in a row"
                ) : (
                  <>
                    diff rate above {percent(rule.threshold)} over {duration(rule.windowMs)}, of at least{" "}
                    {count(rule.minSamples)} samples
                  </>
                )}
              </td>
              <td>
                {rule.webhookUrl === null ? (
                  <span className="quiet">none</span>
                ) : (
                  <Name>{rule.webhookUrl}</Name>
                )}
              </td>
              <td>
                <Moment at={rule.createdAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableScroll>
  );
}

function NoRule() {
  return (
    <Empty
      title="No rule yet."
      command={
        `curl ${window.location.origin}/api/v1/alert-rules -H 'content-type: application/json' \\\n` +
        `  -d '{"deployment": "NAME", "threshold": 0.05, "webhookUrl": "https://…"}'`
      }
    >
      A rule says at which diff rate to alert, and whom to tell:
    </Empty>
  );
}
