// What the programs of both generations share.

export const content = {
  serialNo: "",
  groupId: 3,
  rank: -7,
  color: { tag: "Green" } as { tag: "Red" } | { tag: "Green" },
  mark: { tag: "Corner", value: { x: 0.5, yPos: -2.25 } } as { tag: "Nothing" } | { tag: "Radius"; value: number } | { tag: "Corner"; value: { x: number; yPos: number } },
  tags: ["a", "é"],
  bytes: new Uint8Array([0, 255]),
  note: undefined as string | undefined,
  big: -(1n << 200n),
  leaves: [{ x: 1, yPos: 2 }],
};

/** Waits for a condition; only what fails takes that long. */
export async function until(what: string, done: () => boolean): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    if (done()) return;
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`${what} has not come within a minute`);
}

export function ok(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`this does not hold: ${what}`);
}

/** Compares values as texts. Decoded variants without data have an empty value besides their tag. */
export function same(got: unknown, want: unknown): void {
  const text = (v: unknown) =>
    JSON.stringify(v, (_key, value) => {
      if (typeof value === "bigint") return `${value}n`;
      if (value instanceof Uint8Array) return [...value];
      if (value && typeof value === "object" && !Array.isArray(value)) {
        const entries = Object.entries(value).filter(([k, v]) => v !== undefined && !(k === "value" && "tag" in value && v && typeof v === "object" && !Object.keys(v).length));
        return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
      }
      return value;
    });
  if (text(got) !== text(want)) throw new Error(`got  ${text(got)}\nwant ${text(want)}`);
}

let count = 0;
export const unique = (prefix: string) => `${prefix}-${Date.now()}-${count++}`;
