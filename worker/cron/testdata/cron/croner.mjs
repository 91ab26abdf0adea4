// Writes the table that the schedule is tested against. npm install croner@11.0.1; node croner.mjs > croner.json
import { Cron } from "croner";
let seed = 20260101;
const rnd = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 2147483648 * n); };
const pick = (a) => a[rnd(a.length)];
const zones = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin", "America/St_Johns"];
const field = (min, max, star) => {
  const v = () => min + rnd(max - min + 1);
  switch (rnd(star)) {
    case 0: { const a = v(), b = v(); return `${Math.min(a, b)}-${Math.max(a, b)}`; }
    case 1: return `*/${1 + rnd(Math.max(2, Math.floor((max - min) / 2)))}`;
    case 2: return [...new Set([v(), v(), v()])].sort((a, b) => a - b).join(",");
    case 3: { const a = v(), b = v(); return `${Math.min(a, b)}-${Math.max(a, b)}/${1 + rnd(5)}`; }
    case 4: case 5: case 6: return String(v()).padStart(1 + rnd(2), "0");
    default: return "*";
  }
};
const days = ["SUN", "mon", "TUE", "Wed", "THU", "FRI", "SAT"], months = ["JAN", "feb", "MAR", "APR", "May", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const out = [];
while (out.length < 1500) {
  const near = rnd(3) > 0; // most around the clock changes, at night
  const minute = field(0, 59, 8), hour = near ? field(0, 4, 8) : field(0, 23, 9);
  const dom = field(1, 31, 40), month = rnd(12) === 0 ? pick(months) : field(1, 12, 60), dow = rnd(8) === 0 ? pick(days) : rnd(8) === 0 ? pick(["7", "5-7", "0,7", "1-5", "MON-FRI"]) : field(0, 6, 40);
  const expr = [minute, hour, dom, month, dow].join(" "), zone = pick(zones);
  // a moment within three days of a clock change of the years 2000 to 2037, or any
  let from = Date.UTC(2000 + rnd(37), rnd(12), 1 + rnd(28), rnd(24), rnd(60));
  if (near && zone !== "UTC" && zone !== "Asia/Kolkata") {
    const offset = (t) => { const p = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(new Date(t)).reduce((o, x) => ({ ...o, [x.type]: +x.value }), {}); return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second) - t; };
    let t = from, tries = 0;
    while (offset(t) === offset(t + 86400000) && tries++ < 400) t += 86400000;
    if (tries < 400) from = t - 86400000 + rnd(3 * 1440) * 60000;
  }
  let cron; try { cron = new Cron(expr, { timezone: zone, paused: true, mode: "5-part" }); } catch { continue; }
  const next = []; let at = new Date(from);
  for (let i = 0; i < 6; i++) { at = cron.nextRun(at); if (!at || at.getUTCFullYear() > 2037) break; next.push(at.getTime() / 1000); }
  if (next.length < 6) continue;
  out.push(JSON.stringify({ cron: expr, zone, from: from / 1000, next }));
}
console.log("[\n" + out.join(",\n") + "\n]");
