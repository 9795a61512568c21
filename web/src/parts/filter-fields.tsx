import type { ReactNode } from "react";
import type { CaptureFilter } from "../../../src/control/api.js";
import { duration, visible } from "../format";

/** Spans one can ask for, in milliseconds. */
const spans = [600_000, 3_600_000, 86_400_000, 604_800_000];

export function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the field is what it is given
    <label>
      <span>{label}</span>
      {children}
    </label>
  );
}

/** Which captures are meant: fields of a form, read by {@link filterOf}. */
export function FilterFields() {
  return (
    <>
      <Field label="Received in the last">
        <select name="sinceMs" defaultValue="3600000">
          {spans.map((span) => (
            <option key={span} value={span}>
              {duration(span)}
            </option>
          ))}
          <option value="">any time</option>
        </select>
      </Field>
      <Field label="Status">
        <input name="status" placeholder="503 5xx" />
      </Field>
      <Field label="Errors only">
        <input name="errorsOnly" type="checkbox" />
      </Field>
      <Field label="Primary's version">
        <input name="primaryVersion" />
      </Field>
      <Field label="Before version">
        <input name="beforeVersion" />
      </Field>
      <Field label="After version">
        <input name="afterVersion" />
      </Field>
      <Field label="Tag">
        <input name="tag" placeholder="name=value" pattern="[^=]+=.*" title="name=value" />
      </Field>
      <Field label="Primary took, ms at least">
        <input name="minPrimaryMs" type="number" min="0" step="any" />
      </Field>
      <Field label="ms at most">
        <input name="maxPrimaryMs" type="number" min="0" step="any" />
      </Field>
      <Field label="Diverged for candidate">
        <input name="divergedIn" />
      </Field>
      <Field label="With signature">
        <input name="signature" />
      </Field>
      <Field label="Sample of">
        <input name="sample" type="number" min="1" max="1000000" />
      </Field>
    </>
  );
}

/** What was filled in, as the API takes it; it says what does not hold. */
export function filterOf(form: FormData): CaptureFilter {
  const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
  const number = (name: string) => (text(name) === undefined ? undefined : Number(text(name)));
  const [tag, ...value] = text("tag")?.split("=") ?? [];
  const filter: CaptureFilter = {
    sinceMs: number("sinceMs"),
    status: text("status")?.split(/[\s,]+/),
    errorsOnly: form.has("errorsOnly") || undefined,
    primaryVersion: text("primaryVersion"),
    beforeVersion: text("beforeVersion"),
    afterVersion: text("afterVersion"),
    tags: tag === undefined ? undefined : { [tag]: value.join("=") },
    minPrimaryMs: number("minPrimaryMs"),
    maxPrimaryMs: number("maxPrimaryMs"),
    divergedIn: text("divergedIn"),
    signature: text("signature"),
    sample: number("sample"),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, given]) => given !== undefined));
}

/** A filter in words. */
export function FilterWords({ filter }: { filter: CaptureFilter }) {
  const parts = Object.entries(filter).map(([name, value]) => {
    if (name === "sinceMs") return `of ${duration(Number(value))} back`;
    if (name === "errorsOnly") return "errors only";
    const said = typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : String(value);
    return `${name} ${visible(said)}`;
  });
  return <>{parts.length === 0 ? "all captures" : parts.join(", ")}</>;
}
