// Draws the figures with `data-chart` by uPlot: lines, bars and stacked bars over time, on the clocks of the chart's zone.
"use strict";

(() => {
  const drawn = new Map();

  function colour(number) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--series-${(number % 8) + 1}`).trim();
  }

  function ink(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function short(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size >= 1e9) return `${+(value / 1e9).toFixed(1)} bn`;
    if (size >= 1e6) return `${+(value / 1e6).toFixed(1)} m`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
    return `${+value.toFixed(2)}`;
  }

  function whole(value) {
    return value === null || value === undefined ? "–" : value.toLocaleString("en");
  }

  // Each series on top of the ones before it; the topmost is drawn first, so that all are seen.
  function stacked(series) {
    const sums = [];
    return series.map((each) => each.values.map((value, at) => {
      sums[at] = (sums[at] ?? 0) + (value ?? 0);
      return sums[at];
    }));
  }

  function options(chart, width, height, own) {
    const bars = chart.kind !== "line";
    const axis = { stroke: ink("--soft"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line") } };
    const paths = bars ? uPlot.paths.bars({ size: [0.8, 60], align: 1 }) : uPlot.paths.linear();
    return {
      width, height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), chart.zone),
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.05 : 1] } },
      axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(short) }],
      cursor: { drag: { x: true, y: false } },
      legend: { live: true },
      series: [
        { value: (_, at) => at === null ? "–" : moment(at, chart.zone) },
        ...own.map(({ each, values, number }) => ({
          label: each.label, stroke: colour(number), width: bars ? 0 : 1.75, spanGaps: false, paths,
          fill: bars ? colour(number) : undefined,
          points: { show: !bars && chart.times.length < 40 },
          value: (_, __, ___, at) => at === null || at === undefined ? "–" : whole(each.values[at]),
        })),
      ],
    };
  }

  function moment(seconds, zone) {
    return new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    }).format(new Date(seconds * 1000)).replace(",", "");
  }

  function draw(figure) {
    const chart = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    const columns = chart.kind === "stacked" ? stacked(chart.series) : chart.series.map((each) => each.values);
    let own = chart.series.map((each, number) => ({ each, values: columns[number], number }));
    if (chart.kind === "stacked") own = own.reverse();
    drawn.get(figure)?.destroy();
    plot.replaceChildren();
    if (!chart.times.length) { plot.textContent = "No rows in this time."; return; }
    const width = Math.max(240, plot.clientWidth), height = Number(figure.dataset.height) || 220;
    const data = [chart.times, ...own.map((each) => each.values)];
    drawn.set(figure, new uPlot(options(chart, width, height, own), data, plot));
    figure.dataset.drawn = "yes";
  }

  function drawAll(root) {
    const figures = [...root.querySelectorAll("[data-chart]")];
    if (root.matches?.("[data-chart]")) figures.push(root);
    figures.forEach(draw);
  }

  function resized() {
    for (const [figure, made] of drawn) {
      if (!figure.isConnected) { made.destroy(); drawn.delete(figure); continue; }
      const width = Math.max(240, figure.querySelector(".plot").clientWidth);
      if (width !== made.width) made.setSize({ width, height: made.height });
    }
  }

  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(resized, 100); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
  document.addEventListener("DOMContentLoaded", () => drawAll(document));
  document.addEventListener("htmx:load", (event) => { if (event.detail.elt !== document.body) drawAll(event.detail.elt); });
  window.airtallyCharts = { image: (figure) => drawn.get(figure)?.ctx.canvas.toDataURL("image/png") };
})();
