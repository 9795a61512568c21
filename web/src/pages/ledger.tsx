import { Link, useParams, useSearchParams } from "react-router";
import type { Ledger } from "../../../src/control/api.js";
import { path, queryString, useApi } from "../api";
import { count } from "../format";
import { LedgerChecked } from "../parts/ledger-checked";
import { PageHead } from "../parts/page";
import { SendRequest } from "../parts/send-request";
import { Answer, Empty } from "../parts/state";
import { Badge, Name } from "../parts/words";
import { AccountTable } from "./ledger/account-table";
import { candidateAccount, gatewayAccount } from "./ledger/accounts";

const spans: Record<string, { label: string; ms: number }> = {
  hour: { label: "last hour", ms: 3_600_000 },
  day: { label: "last day", ms: 86_400_000 },
  week: { label: "last week", ms: 7 * 86_400_000 },
};

/** The account of every request: what it came to, and that nothing is missing. */
export function LedgerPage() {
  const { deployment } = useParams() as { deployment: string };
  const [search, setSearch] = useSearchParams();
  const chosen = search.get("span") ?? "";
  const query = queryString({ from: fromOf(spans[chosen]?.ms) });
  const ledger = useApi<Ledger>(`${path`/deployments/${deployment}/ledger`}${query}`, { keep: true });
  return (
    <>
      <PageHead title={`Ledger of ${deployment}`} path={[{ name: "Deployments", to: "/" }]}>
        <Name>{deployment}</Name> <span className="quiet">/</span> Ledger
      </PageHead>
      <form className="filters" aria-label="Range" onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>Requests received</span>
          <select
            value={chosen}
            onChange={({ target }) => setSearch(target.value === "" ? {} : { span: target.value })}
          >
            <option value="">ever</option>
            {Object.entries(spans).map(([span, { label }]) => (
              <option key={span} value={span}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </form>
      <Answer query={ledger}>{(data) => <Accounts deployment={deployment} ledger={data} />}</Answer>
    </>
  );
}

/** By whole minutes, as the ledger counts; so the question changes once a minute only. */
function fromOf(spanMs: number | undefined): number | null {
  return spanMs === undefined ? null : Math.floor((Date.now() - spanMs) / 60_000) * 60_000;
}

function retentionOf({ retention: { days, droppedCaptures } }: Ledger): string {
  const kept = `Captures are kept for ${count(days)} ${days === 1 ? "day" : "days"} after their own.`;
  if (droppedCaptures === 0) return kept;
  const past = droppedCaptures === 1 ? "1 capture was" : `${count(droppedCaptures)} captures were`;
  return `${kept} ${past} dropped since; this account has them all.`;
}

function Accounts({ deployment, ledger }: { deployment: string; ledger: Ledger }) {
  if (ledger.received === 0) {
    return <SendRequest deployment={deployment} title="No request in this range." />;
  }
  const candidates = Object.entries(ledger.candidates);
  return (
    <>
      <p className={`notice ${ledger.balanced ? "good" : "bad"}`} role={ledger.balanced ? "status" : "alert"}>
        <Badge word={ledger.balanced ? "balanced" : "unbalanced"} />{" "}
        {ledger.balanced
          ? "Every request is in exactly one line below; each line is counted where it happens, none by subtraction."
          : "The lines do not add up: requests were counted twice or not at all. Please report this with the ledger's JSON."}
        <LedgerChecked check={ledger.check} />
      </p>
      <p className="quiet">{retentionOf(ledger)}</p>
      <section className="card">
        <h2>What became of {count(ledger.received)} requests</h2>
        <AccountTable
          label="Requests"
          total={ledger.received}
          name="received"
          lines={gatewayAccount(ledger)}
        />
      </section>
      {candidates.length === 0 && (
        <Empty
          title="No candidate yet."
          command={`understudy candidate ${deployment} CANDIDATE http://HOST:8000`}
        >
          Captured requests are replayed to candidates. Register one:
        </Empty>
      )}
      {candidates.map(([name, account]) => (
        <section className="card" key={name}>
          <h2>
            What became of {count(ledger.captured)} captured requests with{" "}
            <Link to={path`/deployments/${deployment}/candidates/${name}`}>
              <Name>{name}</Name>
            </Link>
          </h2>
          <AccountTable
            label={`Captured requests, ${name}`}
            total={ledger.captured}
            name="captured"
            lines={candidateAccount(account)}
          />
        </section>
      ))}
    </>
  );
}
