import { ago, moment, visible, words } from "../format";

/** A name that somebody else chose: isolated, so that its direction cannot change the text around it. */
export function Name({ children }: { children: string }) {
  return <bdi className="name">{visible(children)}</bdi>;
}

/** The same as something to type or to find in a model: an output, a path. */
export function Code({ children }: { children: string }) {
  return (
    <code>
      <Name>{children}</Name>
    </code>
  );
}

/** Local time; the title has it in UTC. */
export function Moment({ at, relative = false }: { at: number; relative?: boolean }) {
  return (
    <time dateTime={new Date(at).toISOString()} title={`${new Date(at).toISOString()} (UTC)`}>
      {relative ? ago(at) : moment(at)}
    </time>
  );
}

const tones: Record<string, string> = {
  match: "good",
  pass: "good",
  balanced: "good",
  done: "good",
  sealed: "good",
  resolved: "good",
  delivered: "good",
  fixed: "good",
  mismatch: "bad",
  fail: "bad",
  firing: "bad",
  dead: "bad",
  failed: "bad",
  unbalanced: "bad",
  regressed: "bad",
  incomparable: "warn",
  inconclusive: "warn",
  pending: "warn",
  paused: "warn",
  cancelled: "warn",
  new: "warn",
};

/** A word of a closed set, in the colour of what it means. */
export function Badge({ word }: { word: string }) {
  return <span className={`badge ${tones[word] ?? ""}`}>{words(word)}</span>;
}
