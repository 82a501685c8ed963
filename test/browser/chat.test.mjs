// Two windows on the chat page, as two people see it. The page and its server are
// those that the demo program starts; the browser is a real one.
import { strict as assert } from "node:assert";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const address = process.env.PAGE;
const pictures = process.env.PICTURES;
const patience = 60_000; // only a failure takes that long

let browser;
const complaints = []; // of any window: errors in the page or its console

/** A window with a storage of its own. */
async function open(name) {
  const context = await browser.newContext({ viewport: { width: 900, height: 600 } });
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  page.on("pageerror", (e) => complaints.push(`${name}: ${e}`));
  page.on("console", (m) => m.type() === "error" && complaints.push(`${name}: ${m.text()}`));
  await page.goto(address);
  await connected(page);
  return page;
}

const connected = (page) => page.getByText(/^connected as /).waitFor();

async function setName(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Set name" }).click();
}

async function say(page, text) {
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}

/** Resolves when the list of messages shows text as said by who. */
const heard = (page, who, text) => page.locator("#messages li").filter({ hasText: text }).filter({ hasText: who }).waitFor();

/** Resolves when the list of people shows name once, as there or away. */
async function shown(page, name, away) {
  const person = page.locator(away ? "#users li.away" : "#users li:not(.away)").filter({ hasText: name });
  await person.waitFor();
  assert.equal(await page.locator("#users li").filter({ hasText: name }).count(), 1);
}

const picture = (page, name) => (pictures ? page.screenshot({ path: `${pictures}/${name}.png` }) : undefined);

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    timeout: 3 * patience,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
});
after(() => browser?.close());

let alice, bob;

test("two windows connect as two people", async () => {
  [alice, bob] = [await open("alice"), await open("bob")];
  assert.notEqual(await alice.locator("#status").textContent(), await bob.locator("#status").textContent());
});

test("a name appears in both windows", async () => {
  await setName(alice, "Alice");
  await shown(bob, "Alice", false);
  await shown(alice, "Alice", false);
  await setName(bob, "Bob");
  await shown(alice, "Bob", false);
});

test("messages go both ways at once", async () => {
  await say(alice, "Hello, Bob!");
  await heard(bob, "Alice", "Hello, Bob!");
  await say(bob, "Hello, Alice. <b>Is it live?</b>");
  await heard(alice, "Bob", "Hello, Alice. <b>Is it live?</b>");
  await heard(bob, "Bob", "Hello, Alice. <b>Is it live?</b>");
  assert.deepEqual(await alice.locator("#messages li p").allTextContents(), ["Hello, Bob!", "Hello, Alice. <b>Is it live?</b>"]);
  assert.equal(await alice.getByLabel("Message").inputValue(), "", "a sent message leaves the field");
});

test("an empty name and an empty message show the module's error, until the next success", async () => {
  await setName(alice, "");
  await alice.getByRole("alert").getByText("Names must not be empty").waitFor();
  await picture(alice, "error");
  await say(alice, "");
  await alice.getByRole("alert").getByText("Messages must not be empty").waitFor();
  await say(alice, "That was an error.");
  await heard(bob, "Alice", "That was an error.");
  assert.equal(await alice.getByRole("alert").textContent(), "");
  await shown(alice, "Alice", false);
});

test("a new name shows on old messages", async () => {
  await setName(alice, "Alice L.");
  await heard(bob, "Alice L.", "Hello, Bob!");
});

test("a reload keeps the identity and the messages", async () => {
  const [who, messages] = [await alice.locator("#status").textContent(), await alice.locator("#messages li p").allTextContents()];
  await alice.reload();
  await connected(alice);
  await heard(alice, "Alice L.", "That was an error.");
  assert.equal(await alice.locator("#status").textContent(), who);
  assert.deepEqual(await alice.locator("#messages li p").allTextContents(), messages);
  await shown(bob, "Alice L.", false);
});

test("who closes the window is shown as away, with the messages left", async () => {
  await picture(alice, "window");
  await bob.context().close();
  await shown(alice, "Bob", true);
  await heard(alice, "Bob", "Hello, Alice.");
  await picture(alice, "away");
});

test("a third window sees it all, dark and narrow as well", async () => {
  const carol = await open("carol");
  await shown(carol, "Bob", true);
  await shown(carol, "Alice L.", false);
  await heard(carol, "Alice L.", "Hello, Bob!");
  await carol.emulateMedia({ colorScheme: "dark" });
  await carol.setViewportSize({ width: 390, height: 700 });
  await picture(carol, "dark");
  const overflow = await carol.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0, "the page is wider than the window");
  await carol.context().close();
});

test("no window complained", () => assert.deepEqual(complaints, []));
