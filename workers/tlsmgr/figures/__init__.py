"""What the workers count: values that are counted into, and the forms that figures are shown in."""
