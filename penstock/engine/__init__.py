"""Plans and what becomes of them: nodes, rules, lowering to stages, kernels."""
