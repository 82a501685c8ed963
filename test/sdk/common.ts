// What the tests of both SDK generations share.
import { strict as assert } from "node:assert";

export const uri = process.env.SPACETIME_URI ?? "http://127.0.0.1:3000";
export const database = process.env.SPACETIME_DB ?? "chat";

/** Resolves when check holds, which it tries whenever the event loop turns; fails after a minute, which no busy machine needs. */
export async function until(what: string, check: () => boolean): Promise<void> {
  const end = Date.now() + 60_000;
  while (!check()) {
    assert.ok(Date.now() < end, `waited a minute for ${what}`);
    await new Promise((r) => setTimeout(r, 5));
  }
}

/** Prints the checklist items that a test which has just passed proves. */
export function covers(...items: string[]): void {
  console.log(`covers: ${items.join(" ")}`);
}

/** Returns a text that no other test run sends. */
export function unique(text: string): string {
  return `${text} ${process.pid}-${Math.random().toString(36).slice(2)}`;
}
