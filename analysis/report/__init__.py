"""A report in the forms that `check --format` names: one module each, `render(report)`."""
