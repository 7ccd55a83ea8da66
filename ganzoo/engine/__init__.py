"""What every GAN shares: the step, `fit` and saving around it, feeds, optimizers, schedules, export, the backends."""
