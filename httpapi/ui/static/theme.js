// Applies the chosen colours before the page is drawn. It is a classic script, because modules run after that.
(() => {
  try {
    const theme = localStorage.getItem("pando-theme");
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  } catch {
    // A browser may forbid localStorage. Then the colours are those of the system.
  }
})();
