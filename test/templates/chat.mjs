// Drives the chat pages of templates in a real browser:
//   node chat.mjs NAME=ADDRESS...
// Each page is opened twice, as two people see it. Prints a line "ok NAME" for each.
import { strict as assert } from 'node:assert';
import { chromium } from 'playwright-core';

const patience = Number(process.env.PATIENCE ?? 60_000); // only a failure takes that long
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  timeout: 3 * patience,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

async function open(address, answer) {
  const context = await browser.newContext();
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', e => complaints.push(String(e)));
  page.on('dialog', dialog => dialog.accept(answer()));
  await page.goto(address);
  await page.locator('form input').waitFor();
  return { page, complaints };
}

async function chat(name, address) {
  let asName = 'Alice';
  const alice = await open(address, () => asName);
  const bob = await open(address, () => 'Bob');
  const rename = alice.page.locator('header button');
  await rename.filter({ hasText: /^[0-9a-f]{8}$/ }).waitFor(); // the identity, before there is a name
  await rename.click();
  await bob.page.locator('aside p').filter({ hasText: 'Alice' }).waitFor();
  const text = `<b>hello</b> from ${name}`; // must not become markup
  await alice.page.locator('form input').fill(text);
  await alice.page.locator('form input').press('Enter');
  const heard = bob.page.locator('main p').filter({ hasText: text }).filter({ hasText: 'Alice' });
  await heard.waitFor().catch(async e => {
    console.error(`${name}: Alice sees`, await alice.page.innerHTML('body'), alice.complaints, '\nBob sees', await bob.page.innerHTML('body'), bob.complaints);
    throw e;
  });
  assert.equal(await heard.count(), 1);
  asName = '';
  await rename.click();
  await alice.page.locator('output').filter({ hasText: 'Names must not be empty' }).waitFor();
  for (const { page, complaints } of [alice, bob]) {
    assert.deepEqual(complaints, []);
    await page.context().close();
  }
  console.log(`ok ${name}`);
}

try {
  for (const argument of process.argv.slice(2)) {
    const at = argument.indexOf('=');
    await chat(argument.slice(0, at), argument.slice(at + 1));
  }
} finally {
  await browser.close();
}
